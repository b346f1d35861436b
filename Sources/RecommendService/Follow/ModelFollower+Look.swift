import FactorModel
import Foundation
import ModelRegistry

extension ModelFollower {
    /// One look at one model: what does the registry hold, what is wanted, what has to be done.
    func look(at name: String, _ policy: VersionPolicy, _ progress: inout Progress) {
        let known: [Int]
        let wanted: [Int]
        do throws(RegistryError) {
            let aliases = try source.aliases(of: name)
            known = try source.versions(of: name)
            store.noteRegistry(name, versions: known, aliases: aliases, at: wallClock)
            progress.attempts.keepOnly(takeRetry(name) ? [] : known)
            wanted = try source.versions(wanted: policy, of: name)
        } catch {
            // What is in memory can be asked for all the same.
            if let pinned = pin(of: name, policyWanted: nil) { makeLive(name, pinned, &progress) }
            return setProblem(name, .registry(error), &progress)
        }
        let order = self.order(name, policy, wanted: wanted, known: known)
        let forced = takeForced(name)
        for version in order where !isLoaded(name, version) && known.contains(version) {
            load(name, version, isForced: forced.contains(version), &progress)
            settle(name, order, &progress)
        }
        settle(name, order, &progress)
        retire(name, order, &progress)
        let failure = failure(name, order, known, progress)
        setProblem(name, failure, isRefusal: failure != .missing(version: order.first ?? 0), &progress)
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

    private func load(_ name: String, _ version: Int, isForced: Bool, _ progress: inout Progress) {
        let live = live(name)
        let fingerprint = try? source.fingerprint(of: name, version: version)
        if isForced { progress.attempts.forget(version) }
        guard
            progress.attempts.isWorthTrying(
                version, fingerprint: fingerprint, live: live?.version, now: clock())
        else { return }
        store.noteLoading(name, version: version, at: wallClock)
        do throws(LoadRefusal) {
            let model = try loaded(name, version, against: live, isForced: isForced, &progress)
            progress.attempts.forget(version)
            store.noteLoaded()
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

    /// Why a version was not taken.
    private struct LoadRefusal: Error {
        var gate: Gate
        var reason: String
        var error: RegistryError?
        /// Whether it may be otherwise later though the files stay as they are.
        var mayPass: Bool { error?.kind == .io }

        func failure(_ version: Int) -> FollowFailure {
            error.map { .registry($0) } ?? .refused(version: version, gate, reason: reason)
        }
    }

    /// Opens, verifies, warms and compares one version. Nobody sees it before it has passed.
    private func loaded(
        _ name: String, _ version: Int, against live: ServedModel?, isForced: Bool, _ progress: inout Progress
    ) throws(LoadRefusal) -> ServedModel {
        let began = clock()
        var lease: ServingLease?
        do throws(RegistryError) {
            lease = try source.lease(name, version: version)
        } catch {
            // Opening says what is wrong with a version; without locks one can serve.
            if case .noLease = error, !progress.hasLeaseComplaint {
                progress.hasLeaseComplaint = true
                report(.unleased(model: name, version: version, reason: "\(error)"))
            }
        }
        let opened: OpenedVersion
        do throws(RegistryError) {
            opened = try source.open(name, version: version, options: options(isFirst: live == nil))
        } catch {
            throw LoadRefusal(gate: .verify, reason: "\(error)", error: error)
        }
        // The first version of a model answers as soon as it can; codes and YᵀY are made behind the readiness.
        if live != nil { opened.snapshot.prepare() }
        do throws(GateRefusal) {
            let notes = try GateCheck(settings.gates, opened, live: live).run()
            for note in notes { report(.note(model: name, version: version, note)) }
        } catch {
            if !isForced { throw LoadRefusal(gate: error.gate, reason: error.reason) }
            report(
                .note(
                    model: name, version: version,
                    "let through by force; the gate \(error.gate.rawValue) says: \(error.reason)"))
        }
        return ServedModel(
            name: name, version: version, snapshot: opened.snapshot, manifest: opened.manifestBytes,
            createdAt: opened.manifest.createdAt.timeIntervalSince1970, loadedAt: wallClock,
            loadSeconds: clock() - began, loops: store.loops, lease: lease)
    }

    private func options(isFirst: Bool) -> OpenOptions {
        OpenOptions(
            threads: isFirst ? settings.firstLoadThreads : 1,
            bytesPerSecondMax: isFirst ? nil : settings.loadBytesPerSecond)
    }

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
