import Foundation

/// A running `nextloop serve` whose system calls can be made to fail while it runs (Tests/FaultyCalls).
package final class FaultyServer {
    package let server: RunningServer
    private let directory: TemporaryDirectory

    /// The library, built beside the tests.
    package static var library: String {
        URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "libFaultyCalls.so")
            .path(percentEncoded: false)
    }

    package init(_ arguments: [String]) throws {
        directory = try TemporaryDirectory()
        server = try RunningServer(
            arguments,
            environment: [
                "LD_PRELOAD": Self.library, "FAULTY_PLAN": directory.file("plan"),
                "FAULTY_COUNT": directory.file("count"),
                "FAULTY_TRACE": directory.file("trace"),
            ])
    }

    /// From the next call on the named ones are counted, from 1.
    package func count(_ calls: String) throws { try write("calls=\(calls) only=sockets") }

    /// From the next call on the named ones are counted, and the n-th fails.
    package func fail(_ calls: String, nth: String, how: String) throws {
        try write("calls=\(calls) nth=\(nth) how=\(how) only=sockets")
    }

    /// The same, on whatever descriptor.
    package func failAnywhere(_ calls: String, nth: String, how: String) throws {
        try write("calls=\(calls) nth=\(nth) how=\(how)")
    }

    /// No call fails any more.
    package func mend() throws { try write("calls=none") }

    private func write(_ plan: String) throws {
        let path = directory.file("plan")
        try Data(plan.utf8).write(to: URL(filePath: path + ".new"))
        // SAFETY: the bridged C strings live for the call and are only read.
        guard unsafe rename(path + ".new", path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    /// Calls counted and failed since the plan came into force, as far as there was a call since.
    package var counted: (calls: Int, faults: Int) {
        let words = ((try? String(contentsOfFile: directory.file("count"), encoding: .utf8)) ?? "").split {
            $0 == " " || $0 == "\n"
        }
        guard words.count == 4 else { return (0, 0) }
        return (Int(words[1]) ?? 0, Int(words[3]) ?? 0)
    }

    /// CPU time the server has used, in ticks of 10 ms.
    package var cpuTicks: Int {
        let stat = (try? String(contentsOfFile: "/proc/\(server.processIdentifier)/stat", encoding: .utf8)) ?? ""
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th words after it.
        let words = stat.split(separator: ")").last?.split(separator: " ") ?? []
        guard words.count > 12 else { return 0 }
        return (Int(words[11]) ?? 0) + (Int(words[12]) ?? 0)
    }

    /// Resident bytes.
    package var residentBytes: Int {
        let statm = (try? String(contentsOfFile: "/proc/\(server.processIdentifier)/statm", encoding: .utf8)) ?? ""
        let words = statm.split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
    }
}
