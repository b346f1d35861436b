import FactorModel
import FoundationEssentials
import ModelRegistry

/// Loads one version: opens, verifies, warms and compares it. Nobody sees it before it has passed, and nothing of it is shared with loops.
struct LoadJob: Sendable {
    let source: any ModelSource
    let settings: FollowSettings
    let model: String
    let version: Int
    /// What it is compared with; nil when it is the model's first in this process.
    let live: ServedModel?
    /// What it is compared with instead when there is none, or a newer one.
    let reference: GoldenAnswers?
    /// Why it is not compared with the live one; nil when its number decides.
    let wayBack: WayBack?
    /// Whether the operator lets it through the gates.
    let isForced: Bool
    let lease: ServingLease?
    let loops: Int
    /// Bytes of the versions that stay in memory beside it, and of those that other models are loading.
    let bytesInUse: Int
    /// Bytes to read a second; nil when nobody is served beside it, as at the start of a process.
    let bytesPerSecondMax: Int?
    let clock: @Sendable () -> Double
    let interruption = Interruption()

    /// A version that may answer.
    struct Loaded {
        var model: ServedModel
        /// What is to be told of it.
        var notes: [String]
        /// What a gate said that force opened.
        var overruled: GateRefusal?
        /// What it was compared with; nil when it was with none.
        var comparedWith: Int?
        /// SHA-256 of its model file.
        var contents: String?
    }

    func run() -> Result<Loaded, LoadRefusal> {
        Result { () throws(LoadRefusal) in try load() }
    }

    private func load() throws(LoadRefusal) -> Loaded {
        let began = clock()
        let opened: OpenedVersion
        do throws(RegistryError) {
            opened = try source.open(model, version: version, options: options)
        } catch {
            throw LoadRefusal(gate: .verify, reason: "\(error)", error: error)
        }
        // The first version of a model answers as soon as it can; codes, unless a record says that those of its files are sound, and YᵀY
        // are made once it does. Of another one the codes have been checked with the rest.
        if live != nil { _ = opened.prepare() } else { opened.codes?.adopt(by: opened.snapshot) }
        var passed = GateCheck.Passed()
        var overruled: GateRefusal?
        do throws(GateRefusal) {
            passed = try GateCheck(settings.gates, opened, live: live, reference: reference, wayBack: wayBack)
                .run()
        } catch {
            if !isForced {
                throw LoadRefusal(
                    gate: error.gate, reason: error.reason, contents: opened.manifest.modelDigest)
            }
            overruled = error
            passed.notes = ["let through by force; the gate \(error.gate.rawValue) says: \(error.reason)"]
        }
        let loaded = ServedModel(
            name: model, version: version, snapshot: opened.snapshot, manifest: opened.manifestBytes,
            createdAt: opened.manifest.createdAt.timeIntervalSince1970, loadedAt: Date().timeIntervalSince1970,
            loadSeconds: clock() - began, loops: loops, lease: lease,
            goldenUsers: opened.golden?.queries.compactMap { opened.snapshot.user(id: $0.user) } ?? [],
            codes: live == nil ? opened.codes : nil)
        if live != nil { loaded.prepare() }
        return Loaded(
            model: loaded, notes: passed.notes, overruled: overruled, comparedWith: passed.comparedWith,
            contents: opened.manifest.modelDigest)
    }

    /// The first load has nobody to leave anything to.
    private var options: OpenOptions {
        OpenOptions(
            threads: live == nil ? settings.firstLoadThreads : 1,
            bytesPerSecondMax: live == nil ? nil : bytesPerSecondMax,
            memoryBytesInUse: bytesInUse, records: settings.records, defersCodes: live == nil,
            interruption: interruption)
    }
}

/// Why a version was not taken.
struct LoadRefusal: Error {
    var gate: Gate
    var reason: String
    var error: RegistryError?
    /// SHA-256 of its model file; nil when it could not be opened.
    var contents: String?

    /// Whether it may be otherwise later though the files stay as they are.
    var mayPass: Bool { error?.kind == .io }

    /// Whether it was given up because nobody wants it any more.
    var isInterruption: Bool {
        if case .interrupted = error { true } else { false }
    }

    func failure(_ version: Int) -> FollowFailure {
        error.map { .registry($0) } ?? .refused(version: version, gate, reason: reason)
    }
}
