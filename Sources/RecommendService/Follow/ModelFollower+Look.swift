import FactorModel
import FoundationEssentials
import Glibc
import ModelRegistry

extension ModelFollower {
    /// One look at one model: what does the registry hold, what is wanted, what has to be done.
    func look(at name: String, _ policy: VersionPolicy, quietly: Bool, _ progress: inout Progress) {
        let known: [Int]
        let wanted: [Int]
        let marks: [String: Int]
        do throws(RegistryError) {
            let aliases = try source.aliases(of: name)
            known = try source.versions(of: name)
            store.noteRegistry(name, versions: known, aliases: aliases, at: wallClock)
            if takeRetry(name) {
                progress.attempts.keepOnly([])
                progress.held = []
            }
            progress.attempts.keepOnly(known)
            wanted = try source.versions(wanted: policy, of: name)
            marks = try source.forced(of: name)
        } catch {
            // First, so that what is due is tried; then what could not be is put off.
            if case .noVersion(let gone, _, _) = error { standIn(name, policy, for: gone, quietly: quietly, &progress) }
            progress.postpone(now: clock(), settings)
            // What is in memory can be asked for all the same.
            let pinned = pin(of: name, policyWanted: nil)
            if let pinned { makeLive(name, pinned, &progress) }
            noteStandIn(name, after: error, pinned: pinned)
            return setProblem(name, .registry(error), &progress)
        }
        let order = self.order(name, policy, wanted: wanted, known: known)
        progress.wanted = order.first
        let force = Force(byOperator: takeForced(name), marks: marks)
        let admitted = Set(order.filter { force.opens($0, for: policy) })
        let kept = keptVerdicts(name, policy, wanted: wanted.first, order, &progress)
        let before = holdBack(name, policy, order, admitted, kept, force, quietly: quietly, &progress)
        for version in order where !isLoaded(name, version) && known.contains(version) {
            // Whoever asks for it now wants an attempt now; the registry's mark opens the gates and changes nothing else.
            if force.byOperator.contains(version) { progress.attempts.forget(version) }
            let isForced = admitted.contains(version)
            // Nothing answers that it could be compared with, and it was refused before.
            if !isForced, live(name) == nil, progress.held.contains(version) { continue }
            let reference = isForced ? nil : reference(name, version, kept, progress)
            let first = load(
                name, version, isForced: isForced, quietly: quietly, reference: reference, kept: kept, &progress)
            // What was passed, and what could not be written before.
            keepFinding(name, version, kept, &progress)
            settle(name, order, admitted, &progress)
            complete(first, quietly: quietly)
        }
        let older = before + lookBack(name, policy, order, kept, force, quietly: quietly, &progress)
        settle(name, order, admitted, &progress)
        tellUncompared(name, kept, &progress)
        let selected = select(name, known, force, kept, quietly: quietly, &progress)
        reloadChanged(name, known, quietly: quietly, &progress)
        retire(name, order + selected, &progress)
        let loaded = loadedVersions(name)
        progress.keepOnly(loaded: loaded, wanted: order, known: known)
        progress.attempts.keepOnly(order + older + selected + loaded)
        progress.postpone(now: clock(), settings)
        note(failure(name, order, known, progress), order, name, &progress)
        noteStandIn(name, for: order.first)
    }

    /// Notes whether another version than the wanted one answers.
    private func noteStandIn(_ name: String, for wanted: Int?) {
        store.noteStandIn(name, for: live(name)?.version == wanted ? nil : wanted)
    }

    /// The same after a look that ended in an error. While the registry cannot be read, what was wanted before is wanted still.
    private func noteStandIn(_ name: String, after error: RegistryError, pinned: Int?) {
        switch error {
        case _ where pinned != nil: noteStandIn(name, for: pinned)
        case .noVersion(let gone, _, _): noteStandIn(name, for: gone)
        case .noAlias, .noVersions, .noModel: store.noteStandIn(name, for: nil)
        default: noteStandIn(name, for: store.standIn(of: name))
        }
    }

    /// An alias names a version that is not there (any more), and nothing answers yet: the one that it named before does.
    private func standIn(
        _ name: String, _ policy: VersionPolicy, for gone: Int, quietly: Bool, _ progress: inout Progress
    ) {
        guard live(name) == nil else { return }
        progress.wanted = gone
        let kept = keptVerdicts(name, policy, wanted: gone, [gone], &progress)
        let force = Force(byOperator: takeForced(name), marks: [:])
        _ = lookBack(name, policy, [gone], kept, force, quietly: quietly, &progress)
        tellUncompared(name, kept, &progress)
    }

    /// Nothing of what the policy wants can be had and nothing answers yet: the newest of the older versions that is good is better than
    /// none. Of an alias: the latest that it named before and that no server refused.
    ///
    /// - Returns: the versions that were tried.
    func lookBack(
        _ name: String, _ policy: VersionPolicy, _ order: [Int], _ kept: KeptVerdicts?, _ force: Force, quietly: Bool,
        _ progress: inout Progress
    ) -> [Int] {
        guard live(name) == nil else { return [] }
        var tried: [Int] = []
        for version in earlier(name, policy, kept) where !order.contains(version) && live(name) == nil {
            tried.append(version)
            let isForced = force.byOperator.contains(version)
            let first = load(name, version, isForced: isForced, quietly: quietly, &progress)
            settle(name, [version], isForced ? [version] : [], &progress)
            complete(first, quietly: quietly)
        }
        if let live = live(name)?.version, let wanted = order.first {
            report(.standsIn(model: name, version: live, wanted: wanted))
        }
        return tried
    }

    private func earlier(_ name: String, _ policy: VersionPolicy, _ kept: KeptVerdicts?) -> [Int] {
        switch policy {
        case .version: return []
        case .alias:
            // What the operator asks for stands in for nobody.
            guard let kept, kept.isFollowed else { return [] }
            return Array(earlier(name, kept).prefix(Self.lookBackMax))
        case .latest(let count):
            let wider = VersionPolicy.latest(min(count + Self.lookBackMax, Registry.latestCountMax))
            return (try? source.versions(wanted: wider, of: name)) ?? []
        }
    }

    /// Older versions that are tried when a process has none to answer with.
    private static var lookBackMax: Int { 10 }

    /// Makes what the first version of a model answers without until then. On the follower's thread and at its priority: loops that want the
    /// same values meanwhile wait for whoever began. While a process starts it is its own business, see ``prepareLoaded()``.
    func complete(_ first: ServedModel?, quietly: Bool) {
        if quietly, let first { complete(first) }
    }

    private func complete(_ first: ServedModel) {
        guard let problem = first.prepare() else { return }
        report(.codesUnusable(model: first.name, version: first.version, reason: "\(problem)"))
    }

    /// The same of the versions that a process has started with, those of arms and shadows included: any of them may be the live one later,
    /// and none is completed a second time. Call it once, when the process is ready and before it follows.
    package func prepareLoaded() {
        for version in store.plan.models.flatMap(\.loaded) { complete(version) }
    }

    private func policyKeepsSeveral(_ policy: VersionPolicy) -> Bool {
        if case .latest = policy { true } else { false }
    }

    /// The versions to hold, the one to answer with first.
    private func order(_ name: String, _ policy: VersionPolicy, wanted: [Int], known: [Int]) -> [Int] {
        if let pinned = pin(of: name, policyWanted: wanted.first) {
            return [pinned] + (policyKeepsSeveral(policy) ? wanted.filter { $0 != pinned } : [])
        }
        // The newest of a policy that was removed from the registry goes on until a newer one comes.
        if policyKeepsSeveral(policy), let live = live(name)?.version, let newest = wanted.first, live > newest,
            !known.contains(live)
        {
            return [live] + wanted
        }
        return wanted
    }

    func live(_ name: String) -> ServedModel? { store.plan.model(named: name)?.live }

    func isLoaded(_ name: String, _ version: Int) -> Bool {
        store.plan.model(named: name)?.version(version) != nil
    }

    func loadedVersions(_ name: String) -> [Int] { store.plan.model(named: name)?.loaded.map(\.version) ?? [] }

    // MARK: Swap

    /// Makes the first of the versions that is loaded and may answer the one that does.
    private func settle(_ name: String, _ order: [Int], _ admitted: Set<Int>, _ progress: inout Progress) {
        // Loading took a while: what the operator asked for meanwhile comes first.
        let pinned = pin(of: name, policyWanted: nil)
        let best = ((pinned.map { [$0] } ?? []) + order).first {
            mayAnswer(name, $0, isForced: $0 == pinned || admitted.contains($0), progress)
        }
        if let best { makeLive(name, best, &progress) }
    }

    /// Whether a version is loaded, and not only because force let it through on behalf of somebody else.
    func mayAnswer(_ name: String, _ version: Int, isForced: Bool, _ progress: Progress) -> Bool {
        guard isLoaded(name, version) else { return false }
        return isForced || progress.letThrough[version] == nil || live(name)?.version == version
    }

    private func makeLive(_ name: String, _ version: Int, _ progress: inout Progress) {
        let before = live(name)?.version
        guard before != version, store.makeLive(name, version: version) else { return }
        if let before { progress.previous = [before] + progress.previous.filter { $0 != before && $0 != version } }
        // By force it is no proof of anything.
        if progress.letThrough[version] == nil, !progress.unproven.contains(version) {
            progress.wereLive[version] = progress.fingerprints[version]
        }
        report(.live(model: name, version: version, before: before))
    }

    /// Lets go of what nobody wants.
    private func retire(_ name: String, _ order: [Int], _ progress: inout Progress) {
        guard let plan = store.plan.model(named: name), let live = plan.live else { return }
        // A pin may have made another version live since: the one before it counts as previous too.
        progress.previous.removeAll { !isLoaded(name, $0) || $0 == live.version }
        let others = plan.others.map(\.version).filter { !order.contains($0) && !progress.previous.contains($0) }
        progress.previous = others + progress.previous
        var kept = Set(order)
        kept.formUnion(progress.previous.filter { !kept.contains($0) }.prefix(settings.previousKept))
        let unwanted = Set(plan.others.map(\.version)).subtracting(kept)
        if !unwanted.isEmpty { store.retire(name, versions: unwanted) }
        progress.previous.removeAll { unwanted.contains($0) }
    }

    // MARK: Load

    /// - Parameter kept: where a refusal is written before it is told, if the version is the one that the alias names: who reads of it finds
    ///   it there, and no restart comes between.
    /// - Returns: the version when its model has no live one, which lets it answer before everything of it is computed: the caller completes
    ///   it.
    func load(
        _ name: String, _ version: Int, isForced: Bool, quietly: Bool, reference: Reference? = nil,
        kept: KeptVerdicts? = nil, _ progress: inout Progress
    ) -> ServedModel? {
        awaitReclaim(quietly: quietly)
        let live = live(name)
        let wayBack: WayBack? =
            wasLive(name, version, progress) ? .wasLive : reference?.isWayBack == true ? .rolledBack : nil
        let comparedWith = reference?.answers?.version ?? (wayBack != nil ? nil : live?.version)
        let fingerprint = try? source.fingerprint(of: name, version: version)
        guard
            progress.attempts.isWorthTrying(
                version, isForced: isForced, fingerprint: fingerprint, live: comparedWith, now: clock())
        else { return nil }
        store.noteLoading(name, version: version, at: wallClock)
        let lease = lease(name, version, &progress)
        let job = LoadJob(
            source: source, settings: settings, model: name, version: version, live: live,
            reference: reference?.answers, wayBack: wayBack, isForced: isForced, lease: lease, loops: store.loops,
            mappedBytes: store.mappedBytes, clock: clock)
        do throws(LoadRefusal) {
            let loaded = try (quietly ? thread.run { job.run() } : job.run()).get()
            for note in loaded.notes + [reference?.note].compactMap({ $0 }) {
                report(.note(model: name, version: version, note))
            }
            progress.attempts.forget(version)
            progress.findings[version] = Finding(
                comparedWith: loaded.comparedWith, contents: loaded.contents, refusal: nil)
            progress.letThrough[version] = loaded.overruled.map {
                .refused(version: version, $0.gate, reason: $0.reason)
            }
            progress.fingerprints[version] = fingerprint
            if isForced, loaded.comparedWith == nil {
                progress.unproven.insert(version)
            } else {
                progress.unproven.remove(version)
            }
            // By force it is no question.
            let isUncompared = loaded.comparedWith == nil && !isForced
            progress.uncompared[version] = isUncompared ? reference?.isNothingBefore ?? false : nil
            store.noteLoaded()
            prepare(loaded.model)
            store.publish(loaded.model, live: false)
            return live == nil ? loaded.model : nil
        } catch {
            progress.findings[version] = Finding(
                comparedWith: comparedWith, contents: error.contents,
                refusal: GateRefusal(gate: error.gate, reason: error.reason))
            let isNew = progress.attempts.refused(
                version, gate: error.gate, reason: error.reason, failure: error.failure(version),
                fingerprint: fingerprint, mayPass: error.mayPass, live: comparedWith,
                contents: error.contents, now: clock(), settings: settings)
            keepFinding(name, version, kept, &progress)
            tellRejected(name, version, error.gate, reason: error.reason, isNew: isNew, progress)
            return nil
        }
    }

    func tellRejected(
        _ name: String, _ version: Int, _ gate: Gate, reason: String, isNew: Bool, _ progress: Progress
    ) {
        store.noteRejected(
            name, version: version, gate: gate, reason: reason, isNew: isNew,
            problem: progress.wanted == version ? progress.attempts.failure(version).map { "\($0)" } : nil,
            at: wallClock)
        guard isNew else { return }
        report(.rejected(model: name, version: version, gate: gate, reason: reason, live: live(name)?.version))
    }

    /// A mark against prunes; nil where there are no locks, and for a version of which opening will say what is wrong.
    private func lease(_ name: String, _ version: Int, _ progress: inout Progress) -> ServingLease? {
        do throws(RegistryError) {
            return try source.lease(name, version: version)
        } catch {
            if case .noLease = error, !progress.hasLeaseComplaint {
                progress.hasLeaseComplaint = true
                report(.unleased(model: name, version: version, reason: "\(error)"))
            }
            return nil
        }
    }

    /// Waits until versions that were let go of are unmapped, so that no more than two of a model are in memory at a time. A
    /// streamed answer may hold one for long: then the load goes on beside it.
    private func awaitReclaim(quietly: Bool) {
        for _ in 0..<Self.reclaimAttempts where store.reclaim(on: quietly ? thread : nil) > 0 {
            usleep(Self.reclaimMicroseconds)
        }
    }

    private static var reclaimAttempts: Int { 200 }
    private static var reclaimMicroseconds: UInt32 { 5000 }

    // MARK: Problems

    /// What stands between a model and the version it should answer with; nil when it does.
    private func failure(
        _ name: String, _ order: [Int], _ known: [Int], _ progress: Progress
    ) -> FollowFailure? {
        guard let first = order.first, live(name)?.version != first else { return nil }
        if !known.contains(first) { return .missing(version: first) }
        return progress.attempts.failure(first) ?? progress.letThrough[first]
    }

    /// Says what a look ended with: what is not as the policy wants it, else what is wrong with a version that is loaded.
    private func note(_ failure: FollowFailure?, _ order: [Int], _ name: String, _ progress: inout Progress) {
        guard let failure else {
            let changed = progress.changed.min().map { FollowFailure.changed(version: $0) }
            return setProblem(name, changed, isRefusal: true, &progress)
        }
        let isAttempt = order.first.map { progress.attempts.failure($0) == failure } ?? false
        setProblem(name, failure, isRefusal: isAttempt, &progress)
    }

    /// - Parameter isRefusal: whether the problem is that of an attempt.
    private func setProblem(
        _ name: String, _ problem: FollowFailure?, isRefusal: Bool = false, _ progress: inout Progress
    ) {
        store.noteProblem(name, problem.map { "\($0)" }, at: wallClock)
        guard progress.problem != problem else { return }
        progress.problem = problem
        switch problem {
        case nil: report(.recovered(model: name))
        // What became of an attempt was reported with its gate.
        case .some where isRefusal: break
        case let problem?:
            report(.problem(model: name, reason: "\(problem)", live: live(name)?.version))
        }
    }

    /// Seconds since 1970, for people.
    var wallClock: Double { Date().timeIntervalSince1970 }
}
