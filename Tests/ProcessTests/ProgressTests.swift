import Foundation
import TestSupport
import Testing

/// Goal: a progress bar never ends the work that it tells of.
/// Method: the binary on a pseudo-terminal, where it draws one, with inputs whose size is not what is read.
@Suite("Progress on a terminal") struct ProgressTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
    }

    /// Runs a line of bash, which has `$1` and so on, with a terminal for its output, and ends as it does.
    private func onTerminal(_ line: String, _ arguments: [String]) throws -> BuiltBinary.Result {
        let script = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)"
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        return try BuiltBinary.runProgram(
            "/usr/bin/env", [python, "-c", script, "bash", "-c", line, "bash"] + arguments, seconds: 120)
    }

    @Test("an export that comes through a pipe has no percentage, and the one beside it that has a size lends it none")
    func pipe() throws {
        // Far more comes through the pipe than the file beside it has bytes.
        let lines = try String(contentsOfFile: made.orders, encoding: .utf8).split(separator: "\n")
        let small = try directory.write(Data(lines.prefix(200).joined(separator: "\n").utf8), as: "small.csv")
        let run = try onTerminal(
            #"exec "$1" train --orders "$2" <(cat "$3") --registry "$4" --model m --factors 4 --iterations 2"#,
            [BuiltBinary.path, small, made.orders, directory.file("models")])
        #expect(run.exitCode == 0, "\(run.output)")
        #expect(run.output.contains("[Korders [........................]  "), "\(run.output)")
        #expect(!run.output.contains("[Korders [#"), "\(run.output)")
        #expect(FileManager.default.fileExists(atPath: directory.file("models/m/1/manifest.json")))
    }
}
