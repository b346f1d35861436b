import Foundation
import Synchronization

/// Work on a thread of its own.
///
/// Not a task: tests that block in system calls hold the threads of Swift's pool, of which there are as many as cores, and a
/// task might never begin.
final class BackgroundThread<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    init(_ work: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread {
            let outcome = Result { try work() }
            self.result.withLock { $0 = outcome }
        }
    }

    /// Waits for the end of the work, at most 20 seconds.
    func value() throws -> Value {
        for _ in 0..<20_000 {
            if let result = result.withLock({ $0 }) { return try result.get() }
            usleep(1000)
        }
        throw TestClient.Failed(call: "waiting for a thread", code: 0)
    }
}
