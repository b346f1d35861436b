import FactorModel
import Foundation
import ModelRegistry

extension ModelFollower {
    /// One look at one model: what does the registry hold, what is wanted, what has to be done.
    func look(at name: String, _ policy: VersionPolicy, quietly: Bool, _ progress: inout Progress) {
        let known: [Int]
        let wanted: [Int]
        let forcedByRegistry: Set<Int>
        do throws(RegistryError) {
            let aliases = try source.aliases(of: name)
            known = try source.versions(of: name)
            store.noteRegistry(name, versions: known, aliases: aliases, at: wallClock)
            progress.attempts.keepOnly(takeRetry(name) ? [] : known)
            wanted = try source.versions(wanted: policy, of: name)
            forcedByRegistry = Set(try source.forced(of: name).values)
        } catch {
            // What is in memory can be asked for all the same.
            if let pinned = pin(of: name, policyWanted: nil) { makeLive(name, pinned, &progress) }
            return setProblem(name, .registry(error), &progress)
        }
        let order = self.order(name, policy, wanted: wanted, known: known)
        let forced = takeForced(name)
        for version in order where !isLoaded(name, version) && known.contains(version) {
            // Whoever asks for it now wants an attempt now; the registry's mark opens the gates and changes nothing else.
            if forced.contains(version) { progress.attempts.forget(version) }
            let isForced = forced.contains(version) || forcedByRegistry.contains(version)
            load(name, version, isForced: isForced, quietly: quietly, &progress)
            settle(name, order, &progress)
        }
        settle(name, order, &progress)
        let selected = select(name, known, isForced: forced, quietly: quietly, &progress)
        retire(name, order + selected, &progress)
        let failure = failure(name, order, known, progress)
        setProblem(name, failure, isRefusal: failure != .missing(version: order.first ?? 0), &progress)
    }

    /// Loads the versions that experiments and the shadow ask for. One that cannot be had leaves its arm to the live version.
    ///
    /// - Returns: those versions.
    private func select(
        _ name: String, _ known: [Int], isForced forced: ForcedVersions, quietly: Bool, _ progress: inout Progress
    ) -> [Int] {
        var selections: [(selector: VersionPolicy, version: Int)] = []
        for selector in store.selectors(of: name) {
            do throws(RegistryError) {
                guard let version = try source.versions(wanted: selector, of: name).first else { continue }
                selections.append((selector, version))
                progress.unselected.removeAll { $0 == selector }
            } catch {
                if !progress.unselected.contains(selector) {
                    progress.unselected.append(selector)
                    report(
                        .problem(
                            model: name, reason: "for an experiment or the shadow: \(error)", live: live(name)?.version)
                    )
                }
            }
        }
        for (_, version) in selections where !isLoaded(name, version) && known.contains(version) {
            load(name, version, isForced: forced.contains(version), quietly: quietly, &progress)
        }
        store.select(name, selections)
        return selections.map(\.version)
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

    private func live(_ name: String) -> ServedModel? { store.plan.model(named: name)?.live }

    private func isLoaded(_ name: String, _ version: Int) -> Bool {
        store.plan.model(named: name)?.version(version) != nil
    }

    // MARK: Swap

    /// Makes the first of the versions that is loaded the one that answers.
    private func settle(_ name: String, _ order: [Int], _ progress: inout Progress) {
        // Loading took a while: what the operator asked for meanwhile comes first.
        let pinned = pin(of: name, policyWanted: nil).map { [$0] } ?? []
        guard let best = (pinned + order).first(where: { isLoaded(name, $0) }) else { return }
        makeLive(name, best, &progress)
    }

    private func makeLive(_ name: String, _ version: Int, _ progress: inout Progress) {
        let before = live(name)?.version
        guard before != version, store.makeLive(name, version: version) else { return }
        if let before { progress.previous = [before] + progress.previous.filter { $0 != before && $0 != version } }
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

    private func load(
        _ name: String, _ version: Int, isForced: Bool, quietly: Bool, _ progress: inout Progress
    ) {
        awaitReclaim()
        let live = live(name)
        let fingerprint = try? source.fingerprint(of: name, version: version)
        guard
            progress.attempts.isWorthTrying(
                version, isForced: isForced, fingerprint: fingerprint, live: live?.version, now: clock())
        else { return }
        store.noteLoading(name, version: version, at: wallClock)
        let lease = lease(name, version, &progress)
        let job = LoadJob(
            source: source, settings: settings, model: name, version: version, live: live, isForced: isForced,
            lease: lease, loops: store.loops, clock: clock)
        do throws(LoadRefusal) {
            let (model, notes) = try (quietly ? atLowPriority { job.run() } : job.run()).get()
            for note in notes { report(.note(model: name, version: version, note)) }
            progress.attempts.forget(version)
            store.noteLoaded()
            prepare(model)
            store.publish(model, live: false)
        } catch {
            let isNew = progress.attempts.refused(
                version, gate: error.gate, reason: error.reason, failure: error.failure(version),
                fingerprint: fingerprint, mayPass: error.mayPass, live: live?.version, now: clock(),
                settings: settings)
            store.noteRejected(
                name, version: version, gate: error.gate, reason: error.reason, isNew: isNew, at: wallClock)
            if isNew {
                report(
                    .rejected(
                        model: name, version: version, gate: error.gate, reason: error.reason, live: live?.version))
            }
        }
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
    private func awaitReclaim() {
        for _ in 0..<Self.reclaimAttempts where store.reclaim() > 0 { usleep(Self.reclaimMicroseconds) }
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
        return progress.attempts.failure(first)
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
