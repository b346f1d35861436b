import Foundation
import Synchronization

/// The built `nextloop`, run as a user runs it.
///
/// `NEXTLOOP_TEST_BINARY` names it (`make test` sets it to the release build); without it the binary that lies beside
/// the tests is taken.
package enum BuiltBinary {
    package struct Result: Sendable {
        package let exitCode: Int32
        package let output: String
        package let errors: String
    }

    package static var path: String {
        if let named = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_BINARY"] { return named }
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return directory.appending(path: "nextloop").path(percentEncoded: false)
    }

    /// Runs to the end and returns what it said. A run of more than `seconds` is killed and shows as signal 9.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], seconds: Double = 120
    ) throws -> Result {
        try runProgram(path, arguments, environment: environment, seconds: seconds)
    }

    /// Runs one of the Python oracles in `Tests/Oracles`, with the interpreter of `NEXTLOOP_TEST_PYTHON`.
    package static func oracle(_ script: String, _ arguments: [String], seconds: Double = 120) throws -> Result {
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let scriptPath = tests.appending(path: "Oracles/\(script)").path(percentEncoded: false)
        return try runProgram("/usr/bin/env", [python, scriptPath] + arguments, seconds: seconds)
    }

    /// Output goes through files: a pipe that nobody empties would stop the program.
    package static func runProgram(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], seconds: Double
    ) throws -> Result {
        let directory = try TemporaryDirectory()
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("NEXTLOOP_") }
            .merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try fileHandle(writing: directory.file("out"))
        process.standardError = try fileHandle(writing: directory.file("err"))
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        if ended.wait(timeout: .now() + seconds) == .timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
        return Result(
            exitCode: process.terminationStatus, output: try text(directory.file("out")),
            errors: try text(directory.file("err")))
    }

    static func fileHandle(writing path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(filePath: path))
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}

/// A running `nextloop serve` on a port of its own, stopped when the value goes away.
package final class RunningServer {
    package let port: Int
    private let process = Process()
    private let directory: TemporaryDirectory
    private let ended = DispatchSemaphore(value: 0)

    package struct DidNotStart: Error, CustomStringConvertible {
        package let description: String
    }

    /// Starts on port 0 and waits, at most a minute, until it says where it listens and `/readyz` answers 200.
    ///
    /// - Parameter output: a file for its standard output; nil: nobody sees it.
    package init(_ arguments: [String], environment: [String: String] = [:], output: String? = nil) throws {
        directory = try TemporaryDirectory()
        let errors = directory.file("err")
        process.executableURL = URL(filePath: BuiltBinary.path)
        process.arguments = ["serve", "--port", "0"] + arguments
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("NEXTLOOP_") }
            .merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try output.map { try BuiltBinary.fileHandle(writing: $0) } ?? FileHandle.nullDevice
        process.standardError = try BuiltBinary.fileHandle(writing: errors)
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
        var found: Int?
        for _ in 0..<6000 {
            let text = try BuiltBinary.text(errors)
            if let match = text.firstMatch(of: /(?:ready|listening) on https?:\/\/127\.0\.0\.1:([0-9]+)/) {
                found = Int(match.1)
            }
            if found != nil || !process.isRunning { break }
            Thread.sleep(forTimeInterval: 0.01)
        }
        guard let found else {
            kill(process.processIdentifier, SIGKILL)
            throw DidNotStart(description: "no port after 60 s: \(try BuiltBinary.text(errors))")
        }
        port = found
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    package var errors: String { (try? BuiltBinary.text(directory.file("err"))) ?? "" }
    package var processIdentifier: Int32 { process.processIdentifier }

    /// Sends a signal to the server, and to nothing else.
    package func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end; nil when it is still running after `seconds`.
    package func exitCode(within seconds: Double) -> Int32? {
        guard ended.wait(timeout: .now() + seconds) == .success else { return nil }
        ended.signal()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// One `GET` on a connection of its own.
    package func get(_ target: String, headers: [String: String] = [:]) throws -> HTTPAnswer {
        try LoopbackConnection(port: port).get(target, headers: headers)
    }
}
