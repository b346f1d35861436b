import ModelRegistry
import Synchronization

/// A source that is read on a thread of low priority while it is told to be quiet: decoding a table of aliases and asking for the state of
/// some files is a millisecond, and at the loops' priority they would have to wait for it.
final class QuietSource: ModelSource {
    private let source: any ModelSource
    private let thread: LowPriorityThread
    private let isQuiet = Atomic<Bool>(false)

    init(_ source: any ModelSource, thread: LowPriorityThread) {
        self.source = source
        self.thread = thread
    }

    /// Relaxed: set and read by the one thread that looks.
    func beQuiet(_ isQuiet: Bool) { self.isQuiet.store(isQuiet, ordering: .relaxed) }

    private func read<R: Sendable>(
        _ body: @escaping @Sendable () throws(RegistryError) -> R
    ) throws(RegistryError) -> R {
        guard isQuiet.load(ordering: .relaxed) else { return try body() }
        return try thread.run { Result { () throws(RegistryError) in try body() } }.get()
    }

    func versions(of model: String) throws(RegistryError) -> [Int] {
        try read { [source] () throws(RegistryError) in try source.versions(of: model) }
    }

    func aliases(of model: String) throws(RegistryError) -> [String: Int] {
        try read { [source] () throws(RegistryError) in try source.aliases(of: model) }
    }

    func versions(before current: Int, of alias: String, model: String) throws(RegistryError) -> [Int] {
        try read { [source] () throws(RegistryError) in
            try source.versions(before: current, of: alias, model: model)
        }
    }

    func lastChange(of alias: String, model: String) throws(RegistryError) -> AliasChange? {
        try read { [source] () throws(RegistryError) in try source.lastChange(of: alias, model: model) }
    }

    func goldenAnswers(of model: String, version: Int) throws(RegistryError) -> GoldenAnswers? {
        try read { [source] () throws(RegistryError) in try source.goldenAnswers(of: model, version: version) }
    }

    func verdicts(of model: String) throws(RegistryError) -> [GateVerdict] {
        try read { [source] () throws(RegistryError) in try source.verdicts(of: model) }
    }

    /// Not on the thread that waits for everybody: it holds the registry's lock meanwhile, and others wait for that.
    func keep(_ verdict: GateVerdict, of model: String) throws(RegistryError) { try source.keep(verdict, of: model) }

    func forced(of model: String) throws(RegistryError) -> [String: Int] {
        try read { [source] () throws(RegistryError) in try source.forced(of: model) }
    }

    func versions(wanted policy: VersionPolicy, of model: String) throws(RegistryError) -> [Int] {
        try read { [source] () throws(RegistryError) in try source.versions(wanted: policy, of: model) }
    }

    func fingerprint(of model: String, version: Int) throws(RegistryError) -> VersionFingerprint? {
        try read { [source] () throws(RegistryError) in try source.fingerprint(of: model, version: version) }
    }

    func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion {
        try source.open(model, version: version, options: options)
    }

    func lease(_ model: String, version: Int) throws(RegistryError) -> ServingLease {
        try read { [source] () throws(RegistryError) in try source.lease(model, version: version) }
    }
}
