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
        var count = 1
        /// On the follower's clock; not before.
        var next: Double
    }

    private var refusals: [Int: Refusal] = [:]

    /// Whether a version is worth an attempt now.
    func isWorthTrying(
        _ version: Int, isForced: Bool, fingerprint: VersionFingerprint?, live: Int?, now: Double
    ) -> Bool {
        guard let refusal = refusals[version] else { return true }
        if isForced, refusal.gate != .verify { return true }
        switch refusal.gate {
        case .verify: return now >= refusal.next && (refusal.mayPass || refusal.fingerprint != fingerprint)
        case .overlap, .scoreShift, .catalogue:
            // Held against another version since: what was said of it may no longer be so.
            return refusal.live != live || refusal.fingerprint != fingerprint
        case .warmUp, .metric, .coverage: return refusal.fingerprint != fingerprint
        }
    }

    /// Remembers a refusal.
    ///
    /// - Returns: whether its cause is new.
    mutating func refused(
        _ version: Int, gate: Gate, reason: String, failure: FollowFailure, fingerprint: VersionFingerprint?,
        mayPass: Bool, live: Int?, now: Double, settings: FollowSettings
    ) -> Bool {
        let before = refusals[version]
        var refusal = Refusal(
            gate: gate, reason: reason, failure: failure, fingerprint: fingerprint, mayPass: mayPass, live: live,
            next: now)
        refusal.count = (before?.count ?? 0) + 1
        let doublings = min(refusal.count - 1, 30)
        refusal.next = now + min(settings.retrySeconds * Double(1 << doublings), settings.retrySecondsMax)
        refusals[version] = refusal
        return before?.reason != reason || before?.gate != gate
    }

    /// Why a version was refused at the last attempt.
    func failure(_ version: Int) -> FollowFailure? { refusals[version]?.failure }

    mutating func forget(_ version: Int) { refusals[version] = nil }

    /// Numbers are never reused: what is gone needs no memory.
    mutating func keepOnly(_ versions: [Int]) {
        let known = Set(versions)
        refusals = refusals.filter { known.contains($0.key) }
    }

    /// When the next attempt is due, of those that waiting may help.
    var nextAttempt: Double? { refusals.values.filter { $0.gate == .verify && $0.mayPass }.map(\.next).min() }
}
