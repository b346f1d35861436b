import Foundation
import HTTPMessages
import RecommendService
import Synchronization
import TestSupport
import Testing

@Suite("Ring of lines") struct LineRingTests {
    private func offer(_ ring: LineRing, _ line: String) {
        let bytes = Array((line + "\n").utf8)
        ring.offer(bytes.span)
    }

    private func take(_ ring: LineRing, bytesMax: Int = 1 << 20) -> String {
        var buffer = ByteBuffer(capacity: 16)
        ring.take(into: &buffer, bytesMax: bytesMax)
        return text(buffer)
    }

    @Test("lines come out as they went in, also where the memory ends")
    func wraps() {
        let ring = LineRing(capacity: 32)
        for round in 0..<100 {
            offer(ring, "line \(round)")
            offer(ring, "and \(round)")
            #expect(take(ring) == "line \(round)\nand \(round)\n")
            #expect(ring.isEmpty)
        }
        #expect(ring.lineCounts == (200, 0))
    }

    @Test("a line that fits exactly is taken in; one byte more and it is dropped whole, and counted")
    func full() {
        let ring = LineRing(capacity: 16)
        offer(ring, "0123456")
        offer(ring, "01234567")
        #expect(ring.lineCounts == (1, 1))
        offer(ring, "0123456")
        offer(ring, "")
        #expect(ring.lineCounts == (2, 2))
        #expect(take(ring) == "0123456\n0123456\n")
        offer(ring, String(repeating: "x", count: 15))
        offer(ring, String(repeating: "x", count: 16))
        #expect(ring.lineCounts == (3, 3))
    }

    @Test("only whole lines are taken, as many as fit")
    func wholeLines() {
        let ring = LineRing(capacity: 64)
        for line in ["one", "two", "three"] { offer(ring, line) }
        #expect(take(ring, bytesMax: 3) == "")
        #expect(take(ring, bytesMax: 4) == "one\n")
        #expect(take(ring, bytesMax: 9) == "two\n")
        #expect(take(ring, bytesMax: 6) == "three\n")
        #expect(ring.isEmpty)
    }

    @Test(
        "two threads: every line is taken once, whole and in order, or was counted as dropped", arguments: [64, 4096])
    func twoThreads(capacity: Int) throws {
        let ring = LineRing(capacity: capacity)
        let lineCount = 100_000
        var received = ""
        let isDone = Atomic<Bool>(false)
        let thread = Thread {
            var line = ByteBuffer(capacity: 64)
            for number in 0..<lineCount {
                line.removeAll()
                line.append("number " as StaticString)
                line.appendDecimal(number)
                line.append(UInt8(ascii: "\n"))
                line.withBytes { ring.offer($0) }
            }
            isDone.store(true, ordering: .releasing)
        }
        thread.start()
        while true {
            let wasDone = isDone.load(ordering: .acquiring)
            received += take(ring, bytesMax: 1000)
            if wasDone, ring.isEmpty { break }
        }
        let numbers = received.split(separator: "\n").compactMap { line in
            line.hasPrefix("number ") ? Int(line.dropFirst(7)) : nil
        }
        let counts = ring.lineCounts
        #expect(numbers.count == received.split(separator: "\n").count)
        #expect(numbers.count == counts.put && counts.put + counts.dropped == lineCount)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy(<))
    }
}
