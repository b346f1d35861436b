import HTTPMessages
import RecommendService
import TestSupport
import Testing

struct JSONWritingTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer(capacity: 1)
        write(&buffer)
        return buffer.withBytes { bytes in
            String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        }
    }

    /// A number of `patterns` that is not written as `Float.description` has it.
    private func difference(_ patterns: some Sequence<UInt32>) -> String? {
        for pattern in patterns {
            let value = Float(bitPattern: pattern)
            guard value.isFinite else { continue }
            let text = written { $0.appendJSONNumber(value) }
            if text != value.description { return "\(text) for \(value.description)" }
        }
        return nil
    }

    // MARK: Numbers

    @Test func numbersOfEveryExponentAreWrittenAsFloatDescribesThem() {
        var random = SplitMix64(seed: 1)
        let fractions: [UInt32] = [0, 1, 2, 3, 0x3F_FFFF, 0x40_0000, 0x40_0001, 0x7F_FFFE, 0x7F_FFFF]
        for exponent in UInt32(0)...254 {
            let some = fractions + (0..<200).map { _ in UInt32(truncatingIfNeeded: random.next()) & 0x7F_FFFF }
            for sign in [0, UInt32(1) << 31] {
                #expect(difference(some.map { sign | exponent << 23 | $0 }) == nil)
            }
        }
    }

    @Test func randomNumbersAreWrittenAsFloatDescribesThem() {
        var random = SplitMix64(seed: 2)
        #expect(difference((0..<100_000).map { _ in UInt32(truncatingIfNeeded: random.next()) }) == nil)
    }

    @Test func theSmallestNumbersAreWrittenAsFloatDescribesThem() {
        #expect(difference(1...5_000) == nil)
    }

    @Test func wholeNumbersAndShortFractionsAreWrittenAsFloatDescribesThem() {
        let around = (-3...3).map { Float(1 << 24) + Float($0) }
        let values = (0...5_000).flatMap { [Float($0), Float($0) / 1_000, Float($0) * 100_000] } + around
        #expect(difference((values + values.map { -$0 }).map(\.bitPattern)) == nil)
        #expect(difference((-45...38).map { Float("1e\($0)")?.bitPattern ?? 0 }) == nil)
    }

    @Test(arguments: [
        (Float(0), "0.0"), (-0.0, "-0.0"), (1, "1.0"), (0.25, "0.25"), (-1.5, "-1.5"), (0.0001, "0.0001"),
        (0.00001, "1e-05"), (16_777_216, "16777216.0"), (16_777_218, "1.6777218e+07"),
        (.leastNonzeroMagnitude, "1e-45"), (.greatestFiniteMagnitude, "3.4028235e+38"),
    ])
    func theFormOfNumbersIsFixed(value: Float, text: String) {
        #expect(written { $0.appendJSONNumber(value) } == text)
    }

    // MARK: Strings

    @Test func everyByteThatMustBeEscapedIsWhereverItStands() {
        for byte in UInt8(0)..<128 {
            let escape: String? =
                switch byte {
                case UInt8(ascii: "\""): "\\\""
                case UInt8(ascii: "\\"): "\\\\"
                case UInt8(ascii: "\n"): "\\n"
                case UInt8(ascii: "\r"): "\\r"
                case UInt8(ascii: "\t"): "\\t"
                case ..<0x20: "\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
                default: nil
                }
            let character = String(UnicodeScalar(byte))
            for before in 0...17 {
                for after in [0, 1, 7, 8, 9] {
                    let (head, tail) = (String(repeating: "é", count: before), String(repeating: "!", count: after))
                    let text = written { $0.appendJSONString(head + character + tail) }
                    #expect(text == "\"" + head + (escape ?? character) + tail + "\"")
                }
            }
        }
    }

    @Test func severalEscapesInOneStringAreEachWritten() {
        #expect(written { $0.appendJSONString("\"\"a\\\n12345678\"") } == #""\"\"a\\\n12345678\"""#)
        #expect(written { $0.appendJSONString("") } == #""""#)
    }
}
