/// The keys of `contents`, found without making a String.
struct ContentsKeys {
    enum Key: Int, CaseIterable {
        case orderType, itemSeq, count, itemName, departmentSeq, price
        case waitingPeriod, delayPeriod, freeCount, couponSeq, resultPrice, completePeriod

        var name: String {
            switch self {
            case .orderType: "orderType"
            case .itemSeq: "itemSeq"
            case .count: "count"
            case .itemName: "itemName"
            case .departmentSeq: "departmentSeq"
            case .price: "price"
            case .waitingPeriod: "waitingPeriod"
            case .delayPeriod: "delayPeriod"
            case .freeCount: "freeCount"
            case .couponSeq: "couponSeq"
            case .resultPrice: "resultPrice"
            case .completePeriod: "completePeriod"
            }
        }
    }

    /// A key of at most 16 bytes as two numbers; no key holds a zero byte, so the length is in it too.
    private struct Packed: Equatable {
        var low: UInt64 = 0
        var high: UInt64 = 0

        mutating func set(_ byte: UInt8, at offset: Int) {
            if offset < 8 { low |= UInt64(byte) << (offset * 8) } else { high |= UInt64(byte) << ((offset - 8) * 8) }
        }
    }

    private let packedKeys: [Packed] = Key.allCases.map { key in
        var packed = Packed()
        for (offset, byte) in key.name.utf8.enumerated() { packed.set(byte, at: offset) }
        return packed
    }

    /// - Parameter expected: which key to try first, moved on: keys come in the same order row after row.
    func find(_ text: Span<UInt8>, _ range: Range<Int>, expected: inout Int) -> Key? {
        var packed = Packed()
        var offset = 0
        for place in range {
            let byte = text[place]
            if byte == UInt8(ascii: "\\") { return findEscaped(text, range) }
            if offset == 16 || byte == 0 { return nil }
            packed.set(byte, at: offset)
            offset += 1
        }
        var index = expected
        for _ in 0..<packedKeys.count {
            if index >= packedKeys.count { index = 0 }
            if packedKeys[index] == packed {
                expected = index + 1
                return Key(rawValue: index)
            }
            index += 1
        }
        return nil
    }

    private func findEscaped(_ text: Span<UInt8>, _ range: Range<Int>) -> Key? {
        var name: [UInt8] = []
        ContentsText.appendCleaned(text, range, to: &name)
        let key = String(decoding: name, as: UTF8.self)
        return Key.allCases.first { $0.name == key }
    }
}
