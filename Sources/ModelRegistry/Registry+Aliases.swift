import FoundationEssentials

extension Registry {
    static let aliasesFileName = "aliases.json"
    static let aliasLogFileName = "aliases.log"
    /// Aliases and their log are small; more than this is damage.
    static var aliasesBytesMax: Int { 1 << 20 }
    private static var aliasLogBytesMax: Int { 4 << 20 }
    /// Changes that are kept, whichever alias they are of.
    package static var aliasHistoryCountMax: Int { 1000 }
    /// Changes that are kept of each alias, however long ago: the way back of one that is rarely moved.
    package static var aliasHistoryCountMin: Int { 5 }
    package static var aliasCountMax: Int { 256 }

    /// Every alias and the version it names. Empty when there are none.
    package func aliases(of model: String) throws(RegistryError) -> [String: Int] {
        let file = "\(try existingDirectory(of: model))/\(Self.aliasesFileName)"
        guard let bytes = try fileSystem.read(file, bytesMax: Self.aliasesBytesMax) else { return [:] }
        let aliases: [String: Int]
        do {
            aliases = try registryDecoder().decode([String: Int].self, from: Data(bytes))
        } catch {
            throw .badAliases(path: file, reason: "it is no such object")
        }
        for (name, version) in aliases where !isAliasName(name) || version < 1 {
            throw .badAliases(path: file, reason: "it has an entry that is no alias and version")
        }
        return aliases
    }

    /// The last changes of a model's aliases, oldest first. A damaged line is passed over.
    package func aliasHistory(of model: String) throws(RegistryError) -> [AliasChange] {
        let file = "\(try existingDirectory(of: model))/\(Self.aliasLogFileName)"
        let bytes = try fileSystem.read(file, bytesMax: Self.aliasLogBytesMax) ?? []
        let decoder = registryDecoder()
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap {
            try? decoder.decode(AliasChange.self, from: Data($0))
        }
    }

    /// Points `alias` at `version`, which must exist and pass every check.
    ///
    /// - Parameters:
    ///   - actor: who does it, 1 to 64 bytes; nil: the account.
    ///   - reason: for the history, at most 500 bytes. Everybody who can read the registry can read it.
    package func promote(
        _ model: String, version: Int, alias: String, actor: String? = nil, reason: String = "",
        force: Bool = false
    ) throws(RegistryError) {
        try checkNames(model: model, alias: alias)
        let (actor, reason) = (try AliasChange.actor(actor), try AliasChange.reason(reason))
        try verify(model, version: version, thoroughly: !force)
        let lock = try fileSystem.lock("\(try existingDirectory(of: model))/\(Self.lockFileName)")
        // Checking took a while without the lock: a prune may have come between.
        _ = try resolve(model, .version(version))
        try set(model, alias, to: version, .promote, actor, reason, force: force)
        _ = consume lock
    }

    /// Points `alias` back at the version it named before the present one was promoted, and returns that version.
    ///
    /// Rolling back twice goes back two promotions. Versions that were pruned since are passed over, and so are those that a server
    /// refused: who wants one of them promotes it, and it is compared anew. One that the alias was pointed at by force is let through
    /// the gates again. Parameters as for ``promote(_:version:alias:actor:reason:force:)``.
    ///
    /// - Returns: the version, and those that were passed over because a server refused them, the latest first.
    package func rollback(
        _ model: String, alias: String, actor: String? = nil, reason: String = ""
    ) throws(RegistryError) -> (version: Int, refused: [Int]) {
        try checkNames(model: model, alias: alias)
        let (actor, reason) = (try AliasChange.actor(actor), try AliasChange.reason(reason))
        let lock = try fileSystem.lock("\(try existingDirectory(of: model))/\(Self.lockFileName)")
        let aliases = try aliases(of: model)
        guard let current = aliases[alias] else {
            throw .noAlias(alias, model: model, known: aliases.keys.sorted())
        }
        let known = try refused(under: alias, of: model)
        let before = try versions(before: current, of: alias, model: model)
        let refused = Array(before.prefix { known.contains($0) })
        guard let earlier = before.dropFirst(refused.count).first else {
            throw .nothingToRollBackTo(alias: alias, version: current, refused: refused)
        }
        // What answered before may answer again: only damage stands in the way back.
        try verify(model, version: earlier, thoroughly: false)
        let isForced = try aliasHistory(of: model).last { $0.alias == alias && $0.to == earlier }?.forced == true
        try set(model, alias, to: earlier, .rollback, actor, reason, force: isForced)
        _ = consume lock
        return (earlier, refused)
    }

    /// The versions that still exist of those that `alias` named before `current`, each once, the latest first: what one rollback after
    /// the other returns to, but for those that were refused.
    package func versions(before current: Int, of alias: String, model: String) throws(RegistryError) -> [Int] {
        var left = Set(try versions(of: model)).subtracting([current])
        var stack = Self.promotions(try aliasHistory(of: model).filter { $0.alias == alias }, current: current)
        if stack.last == current { stack.removeLast() }
        return stack.reversed().filter { left.remove($0) != nil }
    }

    /// The change that led `alias` to the version it names now; nil when there is no such alias or the history does not know.
    package func lastChange(of alias: String, model: String) throws(RegistryError) -> AliasChange? {
        guard let current = try aliases(of: model)[alias] else { return nil }
        let last = Self.happened(try aliasHistory(of: model).filter { $0.alias == alias }, current: current).last
        return last?.to == current ? last : nil
    }

    /// What is on top of what: a promotion pushes its version, a rollback takes versions off down to its own. So rolling back
    /// again goes further back, and ends.
    ///
    /// - Parameter changes: of one alias, oldest first.
    private static func promotions(_ changes: [AliasChange], current: Int) -> [Int] {
        var stack = changes.first?.from.map { [$0] } ?? []
        for change in happened(changes, current: current) {
            switch change.action {
            case .promote: stack.append(change.to)
            case .rollback:
                while let top = stack.last, top != change.to { stack.removeLast() }
                if stack.isEmpty { stack = [change.to] }
            }
        }
        return stack
    }

    /// Without those that a crash kept from the table, which are in the log and never happened: neither the next change nor the table
    /// begins where they led.
    private static func happened(_ changes: [AliasChange], current: Int) -> [AliasChange] {
        zip(changes, changes.dropFirst().map(\.from) + [current]).filter { $0.to == $1 }.map(\.0)
    }

    /// Writes the change to the log, then the table by one rename. The lock is held.
    ///
    /// In this order a crash in between leaves a line of something that did not happen, which ``versions(before:of:model:)``
    /// passes over; the other order would lose the way back.
    private func set(
        _ model: String, _ alias: String, to version: Int, _ action: AliasChange.Action, _ actor: String,
        _ reason: String, force: Bool = false
    ) throws(RegistryError) {
        let directory = try existingDirectory(of: model)
        var aliases = try aliases(of: model)
        // Who promotes a version once more wants it looked at once more.
        if action == .promote {
            try takeBackRefusals(
                of: model, alias: alias, version: version,
                by: GateVerdict.TakenBack(at: Date(), who: actor, reason: reason))
        }
        let marks = try storedForced(of: model)[alias] ?? []
        // Promoting what the alias names already is nothing, unless it is to force what servers refused.
        if aliases[alias] == version, !force || marks.contains(version) { return }
        let change = AliasChange(
            at: Date(), who: actor, action: action, alias: alias, from: aliases[alias], to: version, reason: reason,
            forced: force ? true : nil)
        let before = aliases.updateValue(version, forKey: alias)
        guard aliases.count <= Self.aliasCountMax else { throw .tooManyAliases(model: model) }
        // Until the table says so, the mark of the version that it names stays; one of the new version counts for nothing before that.
        let kept = marks.filter { $0 == before && $0 != version }
        try noteForced(model, alias, versions: kept + (force ? [version] : []))
        let changes = Self.bounded(try aliasHistory(of: model) + [change])
        try replace("\(directory)/\(Self.aliasLogFileName)", with: changes.flatMap { Self.line($0) })
        try fileSystem.synchronize(directory: directory)
        try replace("\(directory)/\(Self.aliasesFileName)", with: Self.line(aliases))
        try fileSystem.synchronize(directory: directory)
        try noteForced(model, alias, versions: force ? [version] : [])
    }

    /// What is kept of a history: the last thousand changes, and of each alias its last few.
    private static func bounded(_ changes: [AliasChange]) -> [AliasChange] {
        var counts: [String: Int] = [:]
        let kept = changes.enumerated().reversed().filter { place, change in
            counts[change.alias, default: 0] += 1
            return place >= changes.count - aliasHistoryCountMax
                || counts[change.alias, default: 0] <= aliasHistoryCountMin
        }
        return kept.reversed().map(\.element)
    }

    private static func line(_ value: some Encodable) -> [UInt8] {
        let encoder = registryEncoder()
        do {
            return [UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("BUG: an alias change that JSON cannot say: \(error)")
        }
    }
}
