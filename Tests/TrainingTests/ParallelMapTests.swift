import Synchronization
import Testing
import Training

@Suite("Parallel map") struct ParallelMapTests {
    @Test("every chunk is computed once and results keep their order", arguments: [0, 1, 2, 100], [1, 2, 3, 64])
    func order(chunks: Int, threads: Int) {
        let calls = Mutex<[Int]>([])
        let results = parallelMap(chunks, threads: threads, scratch: { 0 }) { chunk, _ in
            calls.withLock { $0.append(chunk) }
            return chunk * chunk
        }
        #expect(results == (0..<chunks).map { $0 * $0 })
        #expect(calls.withLock { $0.sorted() } == Array(0..<chunks))
    }

    @Test("a thread keeps its scratch from chunk to chunk, and no other thread has it")
    func scratch() {
        let made = Atomic<Int>(0)
        let results = parallelMap(200, threads: 4, scratch: { (made.wrappingAdd(1, ordering: .relaxed).newValue, 0) }) {
            _, own in
            own.1 += 1
            return own
        }
        let scratchCount = made.load(ordering: .relaxed)
        #expect((1...4).contains(scratchCount))
        for scratch in 1...scratchCount {
            let counts = results.filter { $0.0 == scratch }.map(\.1)
            #expect(counts == Array(1..<counts.count + 1), "each use saw all uses before it")
        }
    }
}
