import CLinux
import Foundation

/// The outcome of a run.
package struct LoadResult: Sendable {
    package var total: LoadTally
    /// One for each interval of the timeline; empty without one.
    package var timeline: [LoadTally]
    /// From the start to the last answer or loss.
    package var seconds: Double
}

package enum LoadError: Error, CustomStringConvertible {
    case cannotConnect(host: String, port: Int, code: Int32)

    package var description: String {
        switch self {
        case .cannotConnect(let host, let port, let code):
            "no connection to \(host):\(port): \(Self.message(code)); is the server up, and may enough files be open (ulimit -n)?"
        }
    }

    private static func message(_ code: Int32) -> String {
        // SAFETY: strerror's text is copied at once, before any threads of the run exist.
        unsafe String(cString: strerror(code))
    }
}

extension LoadPlan {
    /// Opens all connections, sends until the end of the plan, and waits for the answers.
    ///
    /// - Throws: when a connection cannot be made at the start; losing one later is part of the result.
    package func run() throws(LoadError) -> LoadResult {
        var loops: [LoadLoop] = []
        do throws(ClientSocket.Failure) {
            for thread in 0..<threads { loops.append(try LoadLoop(self, thread: thread)) }
        } catch {
            throw .cannotConnect(host: host, port: port, code: error.code)
        }
        // A little later, so that all threads are there by then.
        let start = clinux_monotonic_nanoseconds() + 5_000_000
        let ended = DispatchSemaphore(value: 0)
        for loop in loops {
            Thread.detachNewThread {
                loop.run(start: start)
                ended.signal()
            }
        }
        for _ in loops { ended.wait() }
        var timeline: [LoadTally] = []
        for loop in loops {
            let names = loop.versions.names
            for place in loop.tallies.indices {
                loop.tallies[place].nameVersions(names)
                if timeline.count == place { timeline.append(LoadTally()) }
                timeline[place].add(loop.tallies[place])
            }
        }
        var total = LoadTally()
        for tally in timeline { total.add(tally) }
        let last = loops.map(\.lastOutcome).max() ?? start
        return LoadResult(
            total: total, timeline: interval == nil ? [] : timeline, seconds: Double(last - start) / 1e9)
    }
}
