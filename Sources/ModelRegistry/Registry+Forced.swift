import FoundationEssentials

/// Versions that an operator lets through the gates of every server that follows, whenever it loads them: what is asked of one
/// running server ends with it.
extension Registry {
    package static let forcedFileName = "forced.json"
    static let forcedBytesMax = 1 << 20

    /// The aliases of a model that were pointed at their version by force, and that version. An entry that the table of aliases does not
    /// bear out is passed over: while an alias moves there is one for the version before and one for the next.
    package func forced(of model: String) throws(RegistryError) -> [String: Int] {
        let aliases = try aliases(of: model)
        return try storedForced(of: model).reduce(into: [:]) { borneOut, entry in
            if let version = aliases[entry.key], entry.value.contains(version) { borneOut[entry.key] = version }
        }
    }

    /// Replaces the marks of an alias; writes nothing when they are these. The lock is held.
    func noteForced(_ model: String, _ alias: String, versions: [Int]) throws(RegistryError) {
        var forced = try storedForced(of: model)
        guard forced[alias] ?? [] != versions else { return }
        forced[alias] = versions.isEmpty ? nil : versions
        guard let bytes = try? registryEncoder().encode(forced) else {
            preconditionFailure("BUG: names and numbers that JSON cannot say")
        }
        let directory = try existingDirectory(of: model)
        try replace("\(directory)/\(Self.forcedFileName)", with: [UInt8](bytes) + [UInt8(ascii: "\n")])
        try fileSystem.synchronize(directory: directory)
    }

    /// The marks by alias: one, or two while the alias moves or after a crash of who moved it.
    func storedForced(of model: String) throws(RegistryError) -> [String: [Int]] {
        let file = "\(try existingDirectory(of: model))/\(Self.forcedFileName)"
        guard let bytes = try fileSystem.read(file, bytesMax: Self.forcedBytesMax) else { return [:] }
        // What cannot be read forces nothing: the gates stay closed.
        let decoder = registryDecoder()
        if let marks = try? decoder.decode([String: [Int]].self, from: Data(bytes)) { return marks }
        // As earlier builds wrote it.
        return (try? decoder.decode([String: Int].self, from: Data(bytes)))?.mapValues { [$0] } ?? [:]
    }
}
