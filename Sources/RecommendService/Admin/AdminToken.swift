import FactorModel
import FoundationEssentials
import Glibc
import ModelRegistry

/// The bearer tokens that open `/admin`, one a line of a file that is read anew for every request that presents one: a token is rotated
/// by replacing the file, and during the change both may stand in it.
package struct AdminToken: Sendable {
    /// Bytes of one token, in visible ASCII. Sixteen random bytes in base64 are 24.
    package static let tokenBytes = 16...512
    /// Tokens of a file: the one that comes and the one that goes, for a few clients.
    package static let countMax = 8
    private static let fileBytesMax = 8192

    package let path: String

    /// What is wrong with the file: never what is in it.
    package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
        package let path: String
        package let reason: String

        package var description: String {
            """
            the admin token file \(path) \(reason); wanted 1 to \(AdminToken.countMax) lines, each a token of \
            \(AdminToken.tokenBytes.lowerBound) to \(AdminToken.tokenBytes.upperBound) visible ASCII characters: \
            `openssl rand -base64 24 > FILE && chmod 600 FILE` makes one
            """
        }
    }

    package init(path: String) { self.path = path }

    /// Whether others than the owner and their group may read the file.
    package var isExposed: Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let mode = attributes?[.posixPermissions] as? Int else { return false }
        return mode & 0o007 != 0
    }

    /// The tokens now.
    package func tokens() throws(FileError) -> [[UInt8]] {
        let read: [UInt8]?
        do throws(RegistryError) {
            read = try POSIXFileSystem().read(path, bytesMax: Self.fileBytesMax)
        } catch {
            guard case .system(_, _, let code) = error else { throw self.error("cannot be read: \(error)") }
            if code == EFBIG { throw self.error("is larger than \(Self.fileBytesMax) bytes") }
            throw self.error("cannot be read: \(systemMessage(code))")
        }
        guard let bytes = read else { throw error("is not there") }
        var tokens: [[UInt8]] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let token = line.last == UInt8(ascii: "\r") ? Array(line.dropLast()) : Array(line)
            if token.isEmpty { continue }
            guard Self.tokenBytes.contains(token.count), token.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw error("has a line that is no token")
            }
            tokens.append(token)
        }
        guard (1...Self.countMax).contains(tokens.count) else { throw error("has \(tokens.count) tokens") }
        return tokens
    }

    private func error(_ reason: String) -> FileError { FileError(path: path, reason: reason) }
}

/// Whether two texts are the same, in a time that depends only on the length of what was presented: who measures answers learns nothing
/// of how much of a guess was right.
///
/// Every byte is looked at whatever the ones before were; of a token of another length the bytes are looked at all the same.
func constantTimeEqual(_ presented: Span<UInt8>, _ token: [UInt8]) -> Bool {
    if token.isEmpty { return false }
    var difference = UInt(bitPattern: presented.count ^ token.count)
    var place = 0
    for index in presented.indices {
        difference |= UInt(presented[index] ^ token[place])
        place += 1
        if place == token.count { place = 0 }
    }
    return difference == 0
}
