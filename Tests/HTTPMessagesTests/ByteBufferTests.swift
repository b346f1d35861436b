import HTTPMessages
import TestSupport
import Testing

@Suite("Byte buffer") struct ByteBufferTests {
    @Test("bytes of any number are appended as they are, and nothing before or behind them changes")
    func everyLength() {
        let bytes: [UInt8] = (0..<200).map { UInt8($0) }
        for count in 0...130 {
            var buffer = ByteBuffer(capacity: 1)
            buffer.append(255)
            buffer.append(bytes.span.extracting(7..<7 + count))
            buffer.append(254)
            let held: [UInt8] = buffer.withBytes { span in span.indices.map { span[$0] } }
            let wanted: [UInt8] = [255] + Array(bytes[7..<7 + count]) + [254]
            #expect(held == wanted)
        }
    }

    @Test("behaves as an array of bytes under random use", arguments: [1, 2, 3] as [UInt64])
    func model(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var buffer = ByteBuffer(capacity: 1)
        var model: [UInt8] = []
        for _ in 0..<2000 {
            switch rng.next() % 10 {
            case 0...1:
                let bytes = (0..<Int(rng.next() % 20)).map { _ in UInt8(truncatingIfNeeded: rng.next()) }
                buffer.append(bytes.span)
                model += bytes
            case 2:
                buffer.append(7)
                model.append(7)
            case 3:
                let number = Int(truncatingIfNeeded: rng.next()) >> Int(rng.next() % 64)
                buffer.appendDecimal(number)
                model += Array(String(number).utf8)
            case 4:
                let count = Int(rng.next() % UInt64(model.count + 1))
                buffer.removeFirst(count)
                model.removeFirst(count)
            case 5:
                let count = Int(rng.next() % UInt64(model.count + 1))
                buffer.truncate(to: model.count - min(count, 5))
                model.removeLast(min(count, 5))
            case 6:
                let start = Int(rng.next() % UInt64(model.count + 1))
                let end = start + Int(rng.next() % UInt64(model.count - start + 1))
                buffer.removeSubrange(start..<end)
                model.removeSubrange(start..<end)
            case 7 where model.count >= 3:
                let place = Int(rng.next() % UInt64(model.count - 2))
                buffer.overwrite(at: place, with: ([1, 2, 3] as [UInt8]).span)
                model.replaceSubrange(place..<(place + 3), with: [1, 2, 3])
            case 8:
                let (word, kept) = (rng.next(), Int(rng.next() % 9))
                buffer.append(kept, lowestBytesOf: word)
                model += (0..<kept).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
            default:
                let written = unsafe buffer.appendUnsafely(room: 8) { room in
                    // SAFETY: three of the eight bytes that there is room for.
                    unsafe room.copyBytes(from: [4, 5, 6])
                    return 3
                }
                #expect(written == 3)
                model += [4, 5, 6]
            }
            #expect(buffer.count == model.count && buffer.isEmpty == model.isEmpty, "seed \(seed)")
        }
        #expect(buffer.array == model, "seed \(seed)")
    }

    @Test("decimal digits at the ends of the range", arguments: [0, 9, 10, -1, .max, .min])
    func decimals(number: Int) {
        var buffer = ByteBuffer(capacity: 1)
        buffer.appendDecimal(number)
        #expect(buffer.text == String(number))
    }
}
