import FactorModel
import Synchronization

/// The results of `body` for every chunk in `0..<chunkCount`, in order, computed on up to `threads` threads.
///
/// Chunks are handed out in order to whichever thread is free, the calling one among them, so `body` must not care who
/// runs it; each thread has a scratch value of its own. Threads live for one call: some 20 µs each against milliseconds
/// of work. When the system gives fewer than asked for, the others do the work.
package func parallelMap<Result: Sendable, Scratch: ~Copyable>(
    _ chunkCount: Int, threads: Int, scratch: @escaping @Sendable () -> Scratch,
    _ body: @escaping @Sendable (_ chunk: Int, _ scratch: inout Scratch) -> Result
) -> [Result] {
    let queue = ChunkQueue<Result>(chunkCount: chunkCount)
    runTogether(threads: min(threads, chunkCount)) {
        var own = scratch()
        while let chunk = queue.take() { queue.finish(chunk, body(chunk, &own)) }
    }
    return queue.results()
}

/// Chunk numbers on the way out, results on the way in.
private final class ChunkQueue<Result: Sendable>: Sendable {
    private let chunkCount: Int
    /// Relaxed is enough: it only hands out numbers. Starting and joining threads orders the memory of the work.
    private let next = Atomic<Int>(0)
    private let finished: Mutex<[Result?]>

    init(chunkCount: Int) {
        self.chunkCount = chunkCount
        finished = Mutex(Array(repeating: nil, count: chunkCount))
    }

    func take() -> Int? {
        let chunk = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return chunk < chunkCount ? chunk : nil
    }

    func finish(_ chunk: Int, _ result: Result) { finished.withLock { $0[chunk] = result } }

    func results() -> [Result] {
        finished.withLock { results in
            let complete = results.compactMap { $0 }
            precondition(complete.count == chunkCount, "BUG: a chunk was not computed")
            return complete
        }
    }
}
