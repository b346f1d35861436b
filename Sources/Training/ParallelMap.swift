import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

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
    let work = Work {
        var own = scratch()
        while let chunk = queue.take() { queue.finish(chunk, body(chunk, &own)) }
    }
    let helpers = startHelpers(max(0, min(threads, chunkCount) - 1), work)
    work.run()
    for helper in helpers { pthread_join(helper, nil) }
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

/// Something for a thread to run, as an object that its start routine can be given.
private final class Work: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Starts up to `count` threads that run `work`; fewer when the system refuses.
private func startHelpers(_ count: Int, _ work: Work) -> [pthread_t] {
    var helpers: [pthread_t] = []
    for _ in 0..<count {
        var helper = pthread_t()
        let argument = unsafe Unmanaged.passRetained(work)
        // SAFETY: a started thread takes over the reference that was retained for it; without one it is released here.
        let refusal = unsafe pthread_create(&helper, nil, startRoutine, argument.toOpaque())
        guard refusal == 0 else {
            unsafe argument.release()
            break
        }
        helpers.append(helper)
    }
    return helpers
}

private func startRoutine(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    // SAFETY: `argument` is the reference to a Work that startHelpers retained for this thread.
    unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
