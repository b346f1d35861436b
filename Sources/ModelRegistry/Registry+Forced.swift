import Foundation

/// Versions that an operator lets through the gates of every server that follows, whenever it loads them: what is asked of one
/// running server ends with it.
extension Registry {
    package static let forcedFileName = "forced.json"
    static let forcedBytesMax = 1 << 20

    /// The aliases of a model that were pointed at their version by force, and that version. An entry that the table of aliases does not
    /// bear out, as a crash between the two may leave it, is passed over.
    package func forced(of model: String) throws(RegistryError) -> [String: Int] {
        let aliases = try aliases(of: model)
        return try storedForced(of: model).filter { aliases[$0.key] == $0.value }
    }

    /// Notes or takes back that an alias was pointed at a version by force; writes nothing when that is what is noted. The lock is held,
    /// and the table of aliases is changed afterwards.
    ///
    /// - Returns: whether it was another before.
    func noteForced(_ model: String, _ alias: String, version: Int?) throws(RegistryError) -> Bool {
        var forced = try storedForced(of: model)
        guard forced[alias] != version else { return false }
        forced[alias] = version
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let bytes = try? encoder.encode(forced) else {
            preconditionFailure("BUG: names and numbers that JSON cannot say")
        }
        let directory = try existingDirectory(of: model)
        try replace("\(directory)/\(Self.forcedFileName)", with: [UInt8](bytes) + [UInt8(ascii: "\n")])
        try fileSystem.synchronize(directory: directory)
        return true
    }

    private func storedForced(of model: String) throws(RegistryError) -> [String: Int] {
        let file = "\(try existingDirectory(of: model))/\(Self.forcedFileName)"
        guard let bytes = try fileSystem.read(file, bytesMax: Self.forcedBytesMax) else { return [:] }
        // What cannot be read forces nothing: the gates stay closed.
        return (try? JSONDecoder().decode([String: Int].self, from: Data(bytes))) ?? [:]
    }
}
