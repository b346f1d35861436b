package import FoundationEssentials
import Glibc

/// One change of an alias, as `aliases.log` keeps it.
package struct AliasChange: Codable, Equatable, Sendable {
    package enum Action: String, Codable, Sendable { case promote, rollback }

    package var at: Date
    /// Who did it: the account that ran the command, or what it was told with `--actor`.
    package var who: String
    package var action: Action
    package var alias: String
    /// The version before; nil when the alias is new.
    package var from: Int?
    package var to: Int
    package var reason: String
    /// True when servers are to let the version through their gates.
    package var forced: Bool?

    package static let actorBytesMax = 64
    package static let reasonBytesMax = 500

    /// A name for the history: the one given, which must be 1 to 64 bytes without control characters, or the account.
    static func actor(_ given: String?) throws(RegistryError) -> String {
        guard let given else {
            // A container's account often has a number only.
            let name = ProcessInfo.processInfo.userName
            return isPlain(name, 1...actorBytesMax) ? name : "uid \(geteuid())"
        }
        guard isPlain(given, 1...actorBytesMax) else { throw .badActor(bytes: given.utf8.count) }
        return given
    }

    static func reason(_ given: String) throws(RegistryError) -> String {
        guard isPlain(given, 0...reasonBytesMax) else { throw .badReason(bytes: given.utf8.count) }
        return given
    }

    /// One line that a terminal shows as it is.
    private static func isPlain(_ text: String, _ bytes: ClosedRange<Int>) -> Bool {
        bytes.contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && !isSeparator($0) }
    }

    private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{2028}" || scalar == "\u{2029}" }
}
