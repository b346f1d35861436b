import ModelRegistry
import Synchronization

/// A source that is read on a thread of low priority while it is told to be quiet: decoding a table of aliases and asking for the state of
/// some files is a millisecond, and at the loops' priority they would have to wait for it.
final class QuietSource: ModelSource {
    /// To be read on the calling thread, while the other one is at work.
    let direct: any ModelSource
    private let thread: LowPriorityThread
    private let isQuiet = Atomic<Bool>(false)

    init(_ source: any ModelSource, thread: LowPriorityThread) {
        direct = source
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
        try read { [direct] () throws(RegistryError) in try direct.versions(of: model) }
    }

    func aliases(of model: String) throws(RegistryError) -> [String: Int] {
        try read { [direct] () throws(RegistryError) in try direct.aliases(of: model) }
    }

    func versions(before current: Int, of alias: String, model: String) throws(RegistryError) -> [Int] {
        try read { [direct] () throws(RegistryError) in
            try direct.versions(before: current, of: alias, model: model)
        }
    }

    func lastChange(of alias: String, model: String) throws(RegistryError) -> AliasChange? {
        try read { [direct] () throws(RegistryError) in try direct.lastChange(of: alias, model: model) }
    }

    func goldenAnswers(of model: String, version: Int) throws(RegistryError) -> GoldenAnswers? {
        try read { [direct] () throws(RegistryError) in try direct.goldenAnswers(of: model, version: version) }
    }

    func verdicts(of model: String) throws(RegistryError) -> [GateVerdict] {
        try read { [direct] () throws(RegistryError) in try direct.verdicts(of: model) }
    }

    /// Not on the thread that waits for everybody: it holds the registry's lock meanwhile, and others wait for that.
    func keep(_ verdict: GateVerdict, of model: String) throws(RegistryError) { try direct.keep(verdict, of: model) }

    func forced(of model: String) throws(RegistryError) -> [String: Int] {
        try read { [direct] () throws(RegistryError) in try direct.forced(of: model) }
    }

    func versions(wanted policy: VersionPolicy, of model: String) throws(RegistryError) -> [Int] {
        try read { [direct] () throws(RegistryError) in try direct.versions(wanted: policy, of: model) }
    }

    func fingerprint(of model: String, version: Int) throws(RegistryError) -> VersionFingerprint? {
        try read { [direct] () throws(RegistryError) in try direct.fingerprint(of: model, version: version) }
    }

    func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion {
        try direct.open(model, version: version, options: options)
    }

    func lease(_ model: String, version: Int) throws(RegistryError) -> ServingLease {
        try read { [direct] () throws(RegistryError) in try direct.lease(model, version: version) }
    }
}
