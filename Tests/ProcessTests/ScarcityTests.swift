import Foundation
import TestSupport
import Testing

/// Where the system gives no more files or threads, a command says so or does without. It neither traps nor waits without end.
@Suite("Without files and threads") struct ScarcityTests {
    /// Runs `nextloop registry verify` on the sample, after `limits` in a shell.
    private func verify(_ limits: String, before: [String] = []) throws -> BuiltBinary.Result {
        let options = try SampleRegistry.made.get().options
        return try BuiltBinary.runProgram(
            "/usr/bin/env",
            before + [
                "/bin/sh", "-c", "\(limits); exec \"$@\"", "sh", BuiltBinary.path, "registry", "verify", "--version",
                "1",
            ]
                + options, seconds: 60)
    }

    @Test("verify ends well or with the reason, however few files may be open", arguments: 4...9)
    func fewFiles(files: Int) throws {
        let run = try verify("ulimit -n \(files)")
        if run.exitCode == 0 {
            #expect(run.output.contains("fine"))
        } else {
            #expect(run.exitCode == 74, "\(run.errors)")
            #expect(run.errors.contains("Too many open files"), "\(run.errors)")
        }
    }

    /// Root has as many processes as it likes: another account is needed, which may read the sample and the binary.
    private static let otherAccount: [String]? = {
        let command = ["setpriv", "--reuid=23457", "--regid=23457", "--clear-groups"]
        guard geteuid() == 0, let sample = try? SampleRegistry.made.get() else { return nil }
        let probe = try? BuiltBinary.runProgram(
            "/usr/bin/env",
            command + ["/bin/sh", "-c", "\"$0\" --version && ls \"$1\"", BuiltBinary.path, sample.directory.path],
            seconds: 20)
        return probe?.exitCode == 0 ? command : nil
    }()

    @Test("verify does all of it on one thread where no others are to be had", .enabled(if: otherAccount != nil))
    func noThreads() throws {
        let account = try #require(Self.otherAccount)
        let run = try verify(":", before: account + ["prlimit", "--nproc=1"])
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(run.output.contains("fine"))
    }

    @Test("serve says why it does not start, at once, where it gets no threads", .enabled(if: otherAccount != nil))
    func noService() throws {
        let account = try #require(Self.otherAccount)
        let options = try SampleRegistry.made.get().options
        for threads in 1...4 {
            let run = try BuiltBinary.runProgram(
                "/usr/bin/env",
                account + ["prlimit", "--nproc=\(threads)", BuiltBinary.path, "serve", "--port", "0", "--threads", "2"]
                    + options, seconds: 30)
            #expect(run.exitCode == 74, "\(threads): \(run.errors)")
            #expect(run.errors.contains("no more threads are to be had"), "\(threads): \(run.errors)")
        }
    }
}
