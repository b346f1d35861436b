import FactorModel
import FoundationEssentials
import Glibc
import ModelRegistry

extension FollowedModel {
    enum LookOutcome {
        case done
        /// What is wanted changed while a version was loaded: look again.
        case isOutdated
    }

    /// One look: what does the registry hold, what is wanted, what has to be done.
    func look(quietly: Bool, _ progress: inout Progress) -> LookOutcome {
        let known: [Int]
        let wanted: [Int]
        let marks: [String: Int]
        do throws(RegistryError) {
            let aliases = try source.aliases(of: name)
            known = try source.versions(of: name)
            store.noteRegistry(name, versions: known, aliases: aliases, at: wallClock)
            if takeRetry() {
                progress.attempts.keepOnly([])
                progress.held = []
            }
            progress.attempts.keepOnly(known)
            wanted = try source.versions(wanted: policy, of: name)
            marks = try source.forced(of: name)
        } catch {
            goOn(without: error, quietly: quietly, &progress)
            return .done
        }
        let order = self.order(wanted: wanted, known: known)
        progress.wanted = order.first
        progress.policyWanted = wanted
        let pin = pin
        let force = Force(byOperator: takeForced(), marks: marks)
        // The force of a pin lasts as long as the pin: its first attempt may fail for a cause that passes.
        let admitted = Set(order.filter { force.opens($0, for: policy) || pin?.forces($0) == true })
        let kept = keptVerdicts(wanted: wanted.first, order, &progress)
        let before = holdBack(order, admitted, kept, force, quietly: quietly, &progress)
        for version in order where !isLoaded(version) && known.contains(version) {
            // Whoever asks for it now wants an attempt now; the registry's mark opens the gates and changes nothing else.
            if force.byOperator.contains(version) { progress.attempts.forget(version) }
            let isForced = admitted.contains(version)
            // Nothing answers that it could be compared with, and it was refused before.
            if !isForced, liveModel == nil, progress.held.contains(version) { continue }
            let reference = isForced ? nil : reference(version, kept, progress)
            let first = load(
                version, isForced: isForced, quietly: quietly, reference: reference, kept: kept, &progress)
            // What was passed, and what could not be written before. By force it is no question.
            if !isForced { keepFinding(version, kept, &progress) }
            if isOutdated(version, wanted, pin) {
                keepWishes(force.byOperator)
                if liveModel != nil {
                    // Should it be wanted again it is read again: there is room for two versions, not for three.
                    store.retire(name, versions: [version])
                } else {
                    complete(first, quietly: quietly)
                }
                return .isOutdated
            }
            settle(order, admitted, &progress)
            complete(first, quietly: quietly)
        }
        if let first = order.first, !admitted.contains(first) {
            // Let in by force for somebody else, it was refused all the same.
            keepFinding(first, kept, &progress)
        }
        let older = before + lookBack(order, kept, force, quietly: quietly, &progress)
        settle(order, admitted, &progress)
        tellUncompared(kept, &progress)
        let selected = select(known, force, kept, quietly: quietly, &progress)
        reloadChanged(known, quietly: quietly, &progress)
        retire(order + selected, &progress)
        let loaded = loadedVersions
        progress.keepOnly(loaded: loaded, wanted: order, known: known)
        store.noteLetThrough(name, Set(progress.letThrough.keys))
        progress.attempts.keepOnly(order + older + selected + loaded)
        progress.postpone(now: clock(), settings)
        note(failure(order, known, progress), order, &progress)
        noteStandIn(for: order.first)
        return .done
    }

    /// Whether the operator asks for another version than when the look began, or the policy wants others and has no use for the one that was
    /// loaded meanwhile: then that must not answer because of it.
    private func isOutdated(_ version: Int, _ wanted: [Int], _ pin: Wishes.Pin?) -> Bool {
        if self.pin?.version != pin?.version { return true }
        do throws(RegistryError) {
            let now = try source.versions(wanted: policy, of: name)
            return now != wanted && (pin != nil || !policy.wants(version, of: now, before: wanted))
        } catch {
            return Wishes.Wanted(error) != nil
        }
    }

    /// What is done when nobody knows what is wanted: what is in memory goes on, and the operator's word counts all the same.
    private func goOn(without error: RegistryError, quietly: Bool, _ progress: inout Progress) {
        // First, so that what is due is tried; then what could not be is put off.
        if case .noVersion(let gone, _, _) = error { standIn(for: gone, quietly: quietly, &progress) }
        let pin = if let wanted = Wishes.Wanted(error) { pin(wanted: wanted) } else { self.pin }
        if let pin { answer(pin, quietly: quietly, &progress) }
        progress.postpone(now: clock(), settings)
        noteStandIn(after: error, pinned: pin?.version)
        let refusal = pin.flatMap { progress.attempts.failure($0.version) ?? progress.letThrough[$0.version]?.failure }
        setProblem(refusal ?? .registry(error), isRefusal: refusal != nil, &progress)
    }

    /// Loads what the operator asked for, if it is there, and lets it answer.
    private func answer(_ pin: Wishes.Pin, quietly: Bool, _ progress: inout Progress) {
        let version = pin.version
        var first: ServedModel?
        if !isLoaded(version), let known = try? source.versions(of: name), known.contains(version) {
            progress.wanted = version
            if takeForced().contains(version) { progress.attempts.forget(version) }
            first = load(version, isForced: pin.isForced, quietly: quietly, &progress)
            // Taken back meanwhile.
            if self.pin?.version != version { return complete(first, quietly: quietly) }
        }
        settle([version], [], &progress)
        complete(first, quietly: quietly)
    }

    /// Notes whether another version than the wanted one answers.
    private func noteStandIn(for wanted: Int?) {
        store.noteStandIn(name, for: liveModel?.version == wanted ? nil : wanted)
    }

    /// The same after a look that ended in an error. While the registry cannot be read, what was wanted before is wanted still.
    private func noteStandIn(after error: RegistryError, pinned: Int?) {
        switch error {
        case _ where pinned != nil: noteStandIn(for: pinned)
        case .noVersion(let gone, _, _): noteStandIn(for: gone)
        case .noAlias, .noVersions, .noModel: store.noteStandIn(name, for: nil)
        default: noteStandIn(for: store.standIn(of: name))
        }
    }

    /// An alias names a version that is not there (any more), and nothing answers yet: the one that it named before does.
    private func standIn(for gone: Int, quietly: Bool, _ progress: inout Progress) {
        guard liveModel == nil else { return }
        progress.wanted = gone
        let kept = keptVerdicts(wanted: gone, [gone], &progress)
        let force = Force(byOperator: takeForced(), marks: [:])
        _ = lookBack([gone], kept, force, quietly: quietly, &progress)
        tellUncompared(kept, &progress)
    }

    /// Nothing of what the policy wants can be had and nothing answers yet: the newest of the older versions that is good is better than
    /// none. Of an alias: the latest that it named before and that no server refused.
    ///
    /// - Returns: the versions that were tried.
    func lookBack(
        _ order: [Int], _ kept: KeptVerdicts?, _ force: Force, quietly: Bool,
        _ progress: inout Progress
    ) -> [Int] {
        guard liveModel == nil else { return [] }
        var tried: [Int] = []
        for version in earlier(kept) where !order.contains(version) && liveModel == nil {
            tried.append(version)
            let isForced = force.byOperator.contains(version)
            let first = load(version, isForced: isForced, quietly: quietly, &progress)
            settle([version], isForced ? [version] : [], &progress)
            complete(first, quietly: quietly)
        }
        if let live = liveModel?.version, let wanted = order.first {
            report(.standsIn(model: name, version: live, wanted: wanted))
        }
        return tried
    }

    private func earlier(_ kept: KeptVerdicts?) -> [Int] {
        switch policy {
        case .version: return []
        case .alias:
            // What the operator asks for stands in for nobody.
            guard let kept, kept.isFollowed else { return [] }
            return Array(earlier(kept).prefix(Self.lookBackMax))
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

    /// The same without asking whether it is a first one.
    func complete(_ first: ServedModel) {
        guard let problem = first.prepare() else { return }
        report(.codesUnusable(model: first.name, version: first.version, reason: "\(problem)"))
    }

    var policyKeepsSeveral: Bool {
        if case .latest = policy { true } else { false }
    }

    /// The versions to hold, the one to answer with first.
    private func order(wanted: [Int], known: [Int]) -> [Int] {
        if let pinned = pin(wanted: wanted.first.map { .version($0) } ?? .nothing)?.version {
            return [pinned] + (policyKeepsSeveral ? wanted.filter { $0 != pinned } : [])
        }
        // The newest of a policy that was removed from the registry goes on until a newer one comes.
        if policyKeepsSeveral, let live = liveModel?.version, let newest = wanted.first, live > newest,
            !known.contains(live)
        {
            return [live] + wanted
        }
        return wanted
    }

    var liveModel: ServedModel? { store.plan.model(named: name)?.live }

    func isLoaded(_ version: Int) -> Bool {
        store.plan.model(named: name)?.version(version) != nil
    }

    var loadedVersions: [Int] { store.plan.model(named: name)?.loaded.map(\.version) ?? [] }

    // MARK: Swap

    /// Makes the first of the versions that is loaded and may answer the one that does.
    private func settle(_ order: [Int], _ admitted: Set<Int>, _ progress: inout Progress) {
        // Loading took a while: what the operator asked for meanwhile comes first.
        let pin = pin
        let best = ((pin.map { [$0.version] } ?? []) + order).first {
            mayAnswer($0, isForced: admitted.contains($0) || pin?.forces($0) == true, progress)
        }
        if let best { makeLive(best, &progress) }
    }

    /// Whether a version is loaded, and not only because force let it through on behalf of somebody else.
    func mayAnswer(_ version: Int, isForced: Bool, _ progress: Progress) -> Bool {
        guard isLoaded(version) else { return false }
        return isForced || progress.letThrough[version] == nil || liveModel?.version == version
    }

    private func makeLive(_ version: Int, _ progress: inout Progress) {
        let before = liveModel?.version
        guard before != version, store.makeLive(name, version: version) else { return }
        if let before { progress.previous = [before] + progress.previous.filter { $0 != before && $0 != version } }
        // By force it is no proof of anything.
        if progress.letThrough[version] == nil, !progress.unproven.contains(version) {
            progress.wereLive[version] = progress.fingerprints[version]
        }
        report(.live(model: name, version: version, before: before))
    }

    /// Lets go of what nobody wants.
    private func retire(_ order: [Int], _ progress: inout Progress) {
        guard let plan = store.plan.model(named: name), let live = plan.live else { return }
        // A pin may have made another version live since: the one before it counts as previous too.
        progress.previous.removeAll { !isLoaded($0) || $0 == live.version }
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
        _ version: Int, isForced: Bool, quietly: Bool, reference: Reference? = nil,
        kept: KeptVerdicts? = nil, _ progress: inout Progress
    ) -> ServedModel? {
        awaitReclaim(quietly: quietly)
        let live = liveModel
        let wayBack: WayBack? =
            wasLive(version, progress) ? .wasLive : reference?.isWayBack == true ? .rolledBack : nil
        let comparedWith = reference?.answers?.version ?? (wayBack != nil ? nil : live?.version)
        let fingerprint = try? source.fingerprint(of: name, version: version)
        guard
            progress.attempts.isWorthTrying(
                version, isForced: isForced, fingerprint: fingerprint, live: comparedWith, now: clock())
        else { return nil }
        store.noteLoading(name, version: version, bytes: fingerprint?.bytes ?? 0, at: wallClock)
        defer { store.noteLoadEnded(name) }
        let lease = lease(version, &progress)
        let job = LoadJob(
            source: source, settings: settings, model: name, version: version, live: live,
            reference: reference?.answers, wayBack: wayBack, isForced: isForced, lease: lease, loops: store.loops,
            bytesInUse: store.mappedBytes + store.loadingBytes(besides: name),
            bytesPerSecondMax: quietly ? settings.loadBytesPerSecond : nil, clock: clock)
        let result = quietly ? run(job, policyWanted: progress.policyWanted) : job.run()
        if let live, liveModel?.version != live.version {
            // Held against a version that is not live any more, whatever came of it.
            store.forgetNote(name, version: version)
            wake()
            return nil
        }
        do throws(LoadRefusal) {
            let loaded = try result.get()
            for note in loaded.notes + [reference?.note].compactMap({ $0 }) {
                report(.note(model: name, version: version, note))
            }
            progress.attempts.forget(version)
            progress.findings[version] = Finding(
                comparedWith: loaded.comparedWith, contents: loaded.contents, refusal: nil)
            progress.letThrough[version] = loaded.overruled.map { refusal in
                LetThrough(
                    failure: .refused(version: version, refusal.gate, reason: refusal.reason),
                    finding: Finding(comparedWith: comparedWith, contents: loaded.contents, refusal: refusal))
            }
            store.noteLetThrough(name, Set(progress.letThrough.keys))
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
        } catch  where error.isInterruption {
            store.forgetNote(name, version: version)
            return nil
        } catch {
            progress.findings[version] = Finding(
                comparedWith: comparedWith, contents: error.contents,
                refusal: GateRefusal(gate: error.gate, reason: error.reason))
            let isNew = progress.attempts.refused(
                version, gate: error.gate, reason: error.reason, failure: error.failure(version),
                fingerprint: fingerprint, mayPass: error.mayPass, live: comparedWith,
                contents: error.contents, now: clock(), settings: settings)
            keepFinding(version, kept, &progress)
            tellRejected(version, error.gate, reason: error.reason, isNew: isNew, progress)
            return nil
        }
    }

    func tellRejected(
        _ version: Int, _ gate: Gate, reason: String, isNew: Bool, _ progress: Progress
    ) {
        store.noteRejected(
            name, version: version, gate: gate, reason: reason, isNew: isNew,
            problem: progress.wanted == version ? progress.attempts.failure(version).map { "\($0)" } : nil,
            at: wallClock)
        guard isNew else { return }
        report(.rejected(model: name, version: version, gate: gate, reason: reason, live: liveModel?.version))
    }

    /// A mark against prunes; nil where there are no locks, and for a version of which opening will say what is wrong.
    private func lease(_ version: Int, _ progress: inout Progress) -> ServingLease? {
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
        _ order: [Int], _ known: [Int], _ progress: Progress
    ) -> FollowFailure? {
        guard let first = order.first, liveModel?.version != first else { return nil }
        if !known.contains(first) { return .missing(version: first) }
        return progress.attempts.failure(first) ?? progress.letThrough[first]?.failure
    }

    /// Says what a look ended with: what is not as the policy wants it, else what is wrong with a version that is loaded.
    private func note(_ failure: FollowFailure?, _ order: [Int], _ progress: inout Progress) {
        guard let failure else {
            let changed = progress.changed.min().map { FollowFailure.changed(version: $0) }
            return setProblem(changed, isRefusal: true, &progress)
        }
        let isAttempt = order.first.map { progress.attempts.failure($0) == failure } ?? false
        setProblem(failure, isRefusal: isAttempt, &progress)
    }

    /// - Parameter isRefusal: whether the problem is that of an attempt.
    private func setProblem(
        _ problem: FollowFailure?, isRefusal: Bool = false, _ progress: inout Progress
    ) {
        store.noteProblem(name, problem.map { "\($0)" }, at: wallClock)
        guard progress.problem != problem else { return }
        progress.problem = problem
        switch problem {
        case nil: report(.recovered(model: name))
        // What became of an attempt was reported with its gate.
        case .some where isRefusal: break
        case let problem?:
            report(.problem(model: name, reason: "\(problem)", live: liveModel?.version))
        }
    }

    /// Seconds since 1970, for people.
    var wallClock: Double { Date().timeIntervalSince1970 }
}
