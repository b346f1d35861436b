import HTTPMessages
import Testing

@testable import RecommendService

@Suite("Rings of all loops") struct LineRingsTests {
    /// Puts `count` lines of 100 bytes, which begin with `mark`.
    private func put(_ count: Int, _ mark: Character, _ ring: LineRing) {
        let line = Array((String(mark) + String(repeating: ".", count: 98) + "\n").utf8)
        for _ in 0..<count { ring.offer(line.span) }
    }

    /// How many lines of each mark a batch has; fails when one is not whole.
    private func batch(_ rings: inout LineRings, bytesMax: Int) -> [Character: Int] {
        var buffer = ByteBuffer(capacity: bytesMax)
        rings.take(into: &buffer, bytesMax: bytesMax)
        #expect(buffer.count <= bytesMax)
        let text = buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.utf8.count == 99 })
        return Dictionary(grouping: lines) { $0.first ?? "?" }.mapValues { $0.count }
    }

    @Test("a ring that is always full leaves the others their share of each batch, and takes what they leave")
    func shares() {
        let made = (0..<4).map { _ in LineRing(capacity: 1 << 16) }
        var rings = LineRings(made)
        put(500, "a", made[0])
        put(5, "b", made[1])
        put(200, "c", made[2])
        put(200, "d", made[3])
        #expect(batch(&rings, bytesMax: 10_000) == ["a": 25, "b": 5, "c": 35, "d": 35])
        #expect(batch(&rings, bytesMax: 10_000) == ["a": 34, "c": 33, "d": 33])
    }

    @Test("a batch smaller than every share begins one ring further each time")
    func turns() {
        let made = (0..<3).map { _ in LineRing(capacity: 1 << 16) }
        var rings = LineRings(made)
        for (ring, mark) in zip(made, "abc") { put(10, mark, ring) }
        #expect((0..<6).map { _ in batch(&rings, bytesMax: 150) } == ["c", "a", "b", "c", "a", "b"].map { [$0: 1] })
    }

    @Test("the writer pauses behind a batch less than half full, and not behind a fuller one")
    func pauses() {
        #expect(LogWriter.pauses(afterBatchOf: 32_767))
        #expect(!LogWriter.pauses(afterBatchOf: 32_768))
        #expect(!LogWriter.pauses(afterBatchOf: LogWriter.batchBytes))
    }
}
