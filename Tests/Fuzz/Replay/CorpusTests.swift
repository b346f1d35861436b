import Foundation
import FuzzProperties
import TestSupport
import Testing

/// The kept inputs of the fuzzers, and a short seeded search around them: seconds here, minutes in `make fuzz`.
///
@Suite("Fuzz corpus") struct CorpusTests {
    @Test("every kept input holds its property", arguments: FuzzTarget.allCases)
    func replay(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target)
        #expect(inputs.count >= 10, "the corpus of \(target.rawValue) is gone")
        for input in inputs { Self.check(target, input) }
    }

    @Test("so do their mutations and crossings", arguments: FuzzTarget.allCases, [1, 2] as [UInt64])
    func mutations(target: FuzzTarget, seed: UInt64) throws {
        let inputs = try Self.corpus(target)
        let words = try Self.dictionary(target)
        var rng = SplitMix64(seed: seed)
        for _ in 0..<400 {
            var bytes = inputs[rng.below(inputs.count)]
            for _ in 0...rng.below(4) { mutate(&bytes, inputs, words, &rng) }
            Self.check(target, bytes)
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ inputs: [[UInt8]], _ words: [[UInt8]], _ rng: inout SplitMix64) {
        let place = rng.below(bytes.count + 1)
        switch rng.below(6) {
        case 0: bytes.insert(UInt8(truncatingIfNeeded: rng.next()), at: place)
        case 1: bytes.insert(contentsOf: words[rng.below(words.count)], at: place)
        case 2 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: rng.next())
        case 3 where place < bytes.count: bytes[place] ^= 1 << UInt8(rng.below(8))
        case 4 where place < bytes.count: bytes.removeSubrange(place..<min(bytes.count, place + 1 + rng.below(8)))
        default:
            let other = inputs[rng.below(inputs.count)]
            let tail = other.suffix(rng.below(other.count + 1))
            bytes = Array((bytes.prefix(place) + tail).prefix(4096))
        }
    }

    private static func check(_ target: FuzzTarget, _ bytes: [UInt8]) {
        do throws(BrokenProperty) {
            try target.check(bytes)
        } catch {
            Issue.record("\(error), for \(bytes)")
        }
    }

    private static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
        let directory = fuzzDirectory.appending(path: "Corpus/\(target.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
            .sorted { $0.lastPathComponent < $1.lastPathComponent }.map { Array(try Data(contentsOf: $0)) }
    }

    /// The words of a libFuzzer dictionary: a line each, in quotes, with `\xNN`, `\\` and `\"`.
    private static func dictionary(_ target: FuzzTarget) throws -> [[UInt8]] {
        let file = fuzzDirectory.appending(path: "Dictionaries/\(target.rawValue).dict")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("\"") }
            .map { line in
                var word: [UInt8] = []
                var rest = line.dropFirst().dropLast()
                while let character = rest.popFirst() {
                    guard character == "\\", let kind = rest.popFirst() else {
                        word += Array(String(character).utf8)
                        continue
                    }
                    if kind == "x" {
                        word.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
                        rest = rest.dropFirst(2)
                    } else {
                        word += Array(String(kind).utf8)
                    }
                }
                return word
            }
    }

    private static let fuzzDirectory =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
}

extension SplitMix64 {
    /// 0 to `bound` - 1.
    fileprivate mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
