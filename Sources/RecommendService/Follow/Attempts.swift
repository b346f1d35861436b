import ModelRegistry

/// What became of the attempts to load the versions of one model, so that a cause is told once and a version that was refused is not
/// read again and again.
struct Attempts {
    private struct Refusal {
        var gate: Gate
        var reason: String
        var failure: FollowFailure
        /// Of the version's files at the time: another look is worth it when it changed.
        var fingerprint: VersionFingerprint?
        /// Whether waiting may help though the files stay as they are: memory, locks, the disk.
        var mayPass: Bool
        /// What it was compared with.
        var live: Int?
        /// SHA-256 of its model file; nil when it could not be opened.
        var contents: String?
        /// Attempts at these very files.
        var count = 1
        /// Whether a look found other files while it was too early to read them.
        var isChanged = false
        /// On the follower's clock; not before.
        var next: Double

        /// Whether another attempt is worth it as soon as its time has come.
        var isAwaited: Bool { gate == .verify && (mayPass || isChanged) }
    }

    private var refusals: [Int: Refusal] = [:]

    /// Whether a version is worth an attempt now. Files that changed before the time for another attempt has come are remembered: whoever
    /// watches the registry does not tell of them twice.
    mutating func isWorthTrying(
        _ version: Int, isForced: Bool, fingerprint: VersionFingerprint?, live: Int?, now: Double
    ) -> Bool {
        guard let refusal = refusals[version] else { return true }
        if isForced, refusal.gate != .verify { return true }
        switch refusal.gate {
        case .verify:
            let isChanged = refusal.fingerprint != fingerprint
            refusals[version]?.isChanged = isChanged
            return now >= refusal.next && (refusal.mayPass || isChanged)
        case .overlap, .scoreShift, .catalogue:
            // Held against another version since: what was said of it may no longer be so.
            return refusal.live != live || refusal.fingerprint != fingerprint
        case .warmUp, .golden, .metric, .coverage: return refusal.fingerprint != fingerprint
        }
    }

    /// Remembers a refusal.
    ///
    /// - Returns: whether its cause is new.
    mutating func refused(
        _ version: Int, gate: Gate, reason: String, failure: FollowFailure, fingerprint: VersionFingerprint?,
        mayPass: Bool, live: Int?, contents: String?, now: Double, settings: FollowSettings
    ) -> Bool {
        let before = refusals[version]
        var refusal = Refusal(
            gate: gate, reason: reason, failure: failure, fingerprint: fingerprint, mayPass: mayPass, live: live,
            contents: contents, next: now)
        // Other files are another cause: a version that is being copied is not put off longer with every part of it.
        if let before, before.fingerprint == fingerprint { refusal.count = before.count + 1 }
        refusal.next = now + Self.wait(after: refusal.count, settings)
        refusals[version] = refusal
        return before?.reason != reason || before?.gate != gate
    }

    /// Seconds until the next attempt, after so many.
    static func wait(after count: Int, _ settings: FollowSettings) -> Double {
        min(settings.retrySeconds * Double(1 << min(count - 1, 30)), settings.retrySecondsMax)
    }

    /// Why a version was refused at the last attempt.
    func failure(_ version: Int) -> FollowFailure? { refusals[version]?.failure }

    /// What a gate said of a version that it compared with another; nil when it was compared with none.
    func finding(_ version: Int) -> FollowedModel.Finding? {
        guard let refusal = refusals[version], let live = refusal.live, let contents = refusal.contents
        else { return nil }
        return FollowedModel.Finding(
            comparedWith: live, contents: contents, refusal: GateRefusal(gate: refusal.gate, reason: refusal.reason))
    }

    mutating func forget(_ version: Int) { refusals[version] = nil }

    /// Forgets all others: nobody attempts what nobody wants, and numbers are never reused.
    mutating func keepOnly(_ versions: [Int]) {
        let wanted = Set(versions)
        refusals = refusals.filter { wanted.contains($0.key) }
    }

    /// Puts off what was due and could not be tried at a look that has ended, because the registry could not be read or the version is gone:
    /// what stays due would be looked for without a pause.
    mutating func postpone(now: Double, _ settings: FollowSettings) {
        for (version, refusal) in refusals where refusal.isAwaited && refusal.next <= now {
            refusals[version]?.next = now + Self.wait(after: refusal.count, settings)
        }
    }

    /// When the next attempt is due, of those that waiting may help.
    var nextAttempt: Double? { refusals.values.filter(\.isAwaited).map(\.next).min() }
}
