import ArgumentParser
import FactorModel
import FoundationEssentials
import Glibc

/// The `nextloop` command: flags, signals and wiring. What it wires lives in the rooms below.
@main
struct NextLoop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nextloop",
        abstract: "Recommends room-service items to hotel guests: trains, publishes and serves.",
        discussion: """
            Every option can also be given as an environment variable: NEXTLOOP_ and the option's name in capitals, \
            dashes as underscores (NEXTLOOP_PORT=8080; true or false for flags; values of a repeatable option joined by \
            colons, addresses by commas). An option on the command line wins.
            Exit codes: 0 done, 64 wrong usage, 65 bad data or a bad model, 66 input missing, 74 I/O error, 1 other.
            """,
        subcommands: [
            SampleOrders.self, OrderLines.self, Train.self, Evaluate.self, Import.self, RegistryCommand.self,
            Recommend.self,
            Serve.self, Probe.self,
        ])

    static func main() {
        keepStandardDescriptors()
        // A file that reaches the limit of its size is an error of the write, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        // Asked here and not of the parser, which would then take every command's `--version N` for the same question.
        if CommandLine.arguments.dropFirst() == ["--version"] {
            standardOutput("nextloop \(BuildInfo.version) (\(BuildInfo.commit))\n")
            return
        }
        let environment = EnvironmentOptions(root: NextLoop.self, environment: ProcessInfo.processInfo.environment)
        do {
            let arguments = try environment.completing(Array(CommandLine.arguments.dropFirst()))
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let failure as CommandFailure {
            standardError("nextloop: \(failure.message)")
            Glibc.exit(failure.exitCode.rawValue)
        } catch let error as any CommandError {
            standardError("nextloop: \(error)")
            Glibc.exit(error.exitCode.rawValue)
        } catch {
            end(with: error, environment)
        }
    }

    /// Prints what the parser has to say, help or what is wrong with the arguments, and exits. Not by the parser's own `exit(withError:)`, which
    /// does not look whether help could be written.
    private static func end(with error: any Error, _ environment: EnvironmentOptions) -> Never {
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        let lines = message.isEmpty ? "" : message + "\n"
        if code == .success {
            standardOutput(lines)
        } else {
            if let note = environment.note { standardError("nextloop: \(note)") }
            standardErrorText(lines)
        }
        Glibc.exit(code.rawValue)
    }
}

/// Why a command stopped, in the words for the operator and the exit code for the script.
struct CommandFailure: Error {
    /// The codes of `sysexits.h` that the contract promises.
    enum Code: Int32 {
        case other = 1
        case usage = 64
        case badData = 65
        case inputMissing = 66
        case io = 74
    }

    let exitCode: Code
    let message: String

    init(_ exitCode: Code, _ message: String) {
        self.exitCode = exitCode
        self.message = message
    }
}

/// A descriptor that was closed when the program began would be given to the next file that is opened, which then got what is printed. So
/// something that can be neither read nor written takes its place: output is refused, as it should be.
private func keepStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
        // The lowest free number: this one, as those below it are open. Read-only for output and the other way round.
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
}

/// Messages go to stderr, data to stdout. A message that cannot be written, as when the log's disk is full, is dropped: it
/// must not cost the work that it tells of.
func standardError(_ line: String) { standardErrorText(line + "\n") }

func standardErrorText(_ text: String) {
    _ = write(text, to: STDERR_FILENO)
}

/// Writes data to stdout. When that fails, as on a full disk, the program ends with the code for it: a script must not
/// take half an answer for a whole one. A reader that has gone away is told nothing.
///
/// - Parameter done: what the command has done all the same, for whoever now wonders whether to run it again.
func standardOutput(_ text: String, done: String? = nil) {
    let code = write(text, to: STDOUT_FILENO)
    guard code != 0 else { return }
    let work = done.map { ". The work is done: \($0)" } ?? ""
    standardError("nextloop: cannot write to standard output: \(systemMessage(code))\(work)")
    Glibc.exit(CommandFailure.Code.io.rawValue)
}

/// Writes all of a text, waiting for whoever reads it.
///
/// - Returns: 0, or the `errno` of the write that failed.
private func write(_ text: String, to descriptor: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
        var written = 0
        while written < bytes.count {
            // SAFETY: the bytes from `written` on are inside the buffer, which lives for the call.
            let rest = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[written...])
            let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return errno }
            written += count
        }
        return 0
    }
}
