import ModelRegistry
import Synchronization

/// What an operator asked for of one model, whenever it is looked at.
struct Wishes {
    fileprivate(set) var pin: Pin?
    /// Versions to be let through the gates.
    fileprivate var forced: Set<Int> = []
    /// Whether refused versions are to be tried again.
    fileprivate var isRetry = false

    struct Pin: Equatable {
        let version: Int
        /// Whether it may answer although a gate refused it.
        let isForced: Bool
        /// What the policy wanted when the follower met the pin: once it wants something else, the pin is over.
        fileprivate var wantedThen: Wanted?

        func forces(_ version: Int) -> Bool { isForced && self.version == version }
    }

    /// What a policy wants first.
    enum Wanted: Equatable {
        case version(Int)
        /// There is no such alias, no version or no model.
        case nothing
    }

    /// Stands for whatever version the policy wants at the next look.
    fileprivate static let anyVersion = 0
}

struct ForcedVersions {
    fileprivate let numbers: Set<Int>

    func contains(_ version: Int) -> Bool { numbers.contains(version) || numbers.contains(Wishes.anyVersion) }
}

extension FollowedModel {
    func pin(_ version: Int, force: Bool) -> Bool {
        wishes.withLock { wishes in
            wishes.pin = Wishes.Pin(version: version, isForced: force)
            if force { wishes.forced.insert(version) }
        }
        let before = liveModel?.version
        let isLive = store.makeLive(name, version: version, isForced: force)
        if isLive, before != version { report(.live(model: name, version: version, before: before)) }
        wake()
        return isLive
    }

    func unpin(force: Bool) {
        wishes.withLock { wishes in
            wishes.pin = nil
            if force { wishes.forced.insert(Wishes.anyVersion) }
            wishes.isRetry = true
        }
        wake()
    }

    func lookAgain() {
        wishes.withLock { $0.isRetry = true }
        wake()
    }

    /// The pin as it counts while nobody knows what the policy wants.
    var pin: Wishes.Pin? { wishes.withLock { $0.pin } }

    /// The pin as it counts now that the policy wants `wanted`.
    func pin(wanted: Wishes.Wanted) -> Wishes.Pin? {
        wishes.withLock { wishes in
            guard let pin = wishes.pin else { return nil }
            if let then = pin.wantedThen, then != wanted {
                wishes.pin = nil
                return nil
            }
            wishes.pin?.wantedThen = wanted
            return pin
        }
    }

    /// Notes for a new pin what the policy wants, also while a version is loaded: whatever is promoted after the pin ends it.
    func noteWanted() {
        guard pin != nil else { return }
        do throws(RegistryError) {
            if let first = try source.direct.versions(wanted: policy, of: name).first {
                _ = pin(wanted: .version(first))
            }
        } catch {
            if let wanted = Wishes.Wanted(error) { _ = pin(wanted: wanted) }
        }
    }

    /// Whether anybody here still wants a version that is being loaded. A registry that cannot be read says nothing.
    ///
    /// - Parameter before: what the policy wanted when the look began.
    func isWanted(_ version: Int, _ before: [Int]) -> Bool {
        // While nothing answers, anything is better.
        if liveModel == nil || isLoaded(version) || pin?.version == version { return true }
        let followed = pin == nil || policyKeepsSeveral ? [(policy, before)] : []
        return (followed + store.selectors(of: name).map { ($0, [version]) }).contains { policy, before in
            do throws(RegistryError) {
                return policy.wants(version, of: try source.direct.versions(wanted: policy, of: name), before: before)
            } catch {
                return Wishes.Wanted(error) == nil
            }
        }
    }

    /// Whether the policy has come to want another version that is in memory: going there must not wait for what is being read for an arm.
    func isToSwap(besides version: Int) -> Bool {
        guard pin == nil, let live = liveModel?.version,
            let wanted = try? source.direct.versions(wanted: policy, of: name).first
        else { return false }
        return wanted != version && wanted != live && store.mayBeLive(name, version: wanted)
    }

    /// The versions that the operator lets through the gates, for one look: a wish that is not met by it is over, so that it never opens the
    /// gates to another version later.
    func takeForced() -> ForcedVersions {
        wishes.withLock { wishes in
            defer { wishes.forced = [] }
            return ForcedVersions(numbers: wishes.forced)
        }
    }

    /// Puts back those of a look that was given up: of versions by name, for what the policy wants now is another.
    func keepWishes(_ forced: ForcedVersions) {
        wishes.withLock { $0.forced.formUnion(forced.numbers.subtracting([Wishes.anyVersion])) }
    }

    /// Whether somebody asked to try refused versions again.
    func takeRetry() -> Bool {
        wishes.withLock { wishes in
            defer { wishes.isRetry = false }
            return wishes.isRetry
        }
    }
}

extension Wishes.Wanted {
    /// What a policy wants of which the registry says so; nil when it says nothing, because it cannot be read.
    init?(_ error: RegistryError) {
        switch error {
        case .noVersion(let gone, _, _): self = .version(gone)
        case .noAlias, .noVersions, .noModel: self = .nothing
        default: return nil
        }
    }
}

extension VersionPolicy {
    /// Whether it has a use for a version now that it stands for `versions`. What was the latest before is better than the one before that,
    /// however fast newer ones are published.
    func wants(_ version: Int, of versions: [Int], before: [Int]) -> Bool {
        if case .latest = self, before.contains(version) { return versions.first.map { $0 >= version } ?? false }
        return versions.contains(version)
    }
}
