/// Why files made elsewhere cannot become a model: where, what was got, what was wanted.
package enum ImportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// How a command should exit.
    package enum Kind: Sendable {
        case badData, missing, io
    }

    /// A system call failed: its name, the path it was for, and errno.
    case system(call: String, path: String, code: Int32)
    case notAFile(path: String)
    /// A line of a text file, counted from 1.
    case badLine(path: String, line: Int, got: String, wanted: String)
    case badArray(path: String, got: String, wanted: String)
    case badArchive(path: String, got: String, wanted: String)
    /// Two files that do not belong together.
    case mismatch(got: String, wanted: String)

    package var kind: Kind {
        switch self {
        case .system(_, _, let code): code == ImportError.noEntry ? .missing : .io
        case .notAFile, .badLine, .badArray, .badArchive, .mismatch: .badData
        }
    }

    package var description: String {
        switch self {
        case .system(let call, let path, let code): "\(path): cannot \(call): \(systemMessage(code))"
        case .notAFile(let path): "\(path) is a directory, a pipe or a device; wanted a regular file"
        case .badLine(let path, let line, let got, let wanted): "\(path) line \(line): got \(got); wanted \(wanted)"
        case .badArray(let path, let got, let wanted): "\(path) is no array of factors: got \(got); wanted \(wanted)"
        case .badArchive(let path, let got, let wanted): "\(path) is no .npz archive: got \(got); wanted \(wanted)"
        case .mismatch(let got, let wanted): "the files do not belong together: got \(got); wanted \(wanted)"
        }
    }

    /// The first characters of something from outside, for a message.
    static func excerpt(_ text: String) -> String {
        "'" + text.prefix(64).unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "·" : String($0) }.joined()
            + (text.count > 64 ? "…'" : "'")
    }
}
