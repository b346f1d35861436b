import FoundationEssentials
import Glibc
import ModelRegistry

/// What a version refused by a running server is, after that server's restart: the first version of a process has no live one beside it, so
/// refusals are kept in the registry, and a version of which nothing is kept is compared with what the one before it answered where it was
/// made. A process never goes without a version while there is one that was not refused.
extension FollowedModel {
    /// What the comparing gates said of a version.
    struct Finding {
        let comparedWith: Int
        /// SHA-256 of its model file.
        let contents: String
        /// nil when all passed it.
        let refusal: GateRefusal?

        /// Nil of a version that was compared with none or could not be opened.
        init?(comparedWith: Int?, contents: String?, refusal: GateRefusal?) {
            guard let comparedWith, let contents else { return nil }
            self.comparedWith = comparedWith
            self.contents = contents
            self.refusal = refusal
        }
    }

    /// A refusal on its way into the registry.
    struct Keeping {
        let refusal: GateRefusal
        /// Attempts that failed.
        var count = 0
        /// When the next is due, on the follower's clock; nil when it is written, or cannot be as long as the process lives.
        var next: Double?

        mutating func failed(_ error: RegistryError, now: Double, _ settings: FollowSettings) {
            count += 1
            // Nobody gives a process another mount or account while it runs.
            if case .system(_, _, let code) = error, code == EROFS || code == EACCES {
                next = nil
                return
            }
            next = now + Attempts.wait(after: count, settings)
        }

        mutating func postpone(now: Double, _ settings: FollowSettings) {
            if let due = next, due <= now { next = now + Attempts.wait(after: max(count, 1), settings) }
        }
    }

    /// What the first version of a process is compared with.
    struct Reference {
        let answers: GoldenAnswers?
        /// Why there is nothing to compare with.
        let note: String?
        /// No version before it is left that was not refused.
        var isNothingBefore = false
        /// Whether the alias was rolled back to the version: then it is not compared with the live one, whatever its number.
        var isWayBack = false
    }

    /// What servers made of the versions of the alias that a model follows.
    struct KeptVerdicts {
        let alias: String
        /// The version that the alias names.
        let wanted: Int
        let thresholds: String
        /// False while the operator of this process asked for another version than the alias names.
        let isFollowed: Bool
        fileprivate let verdicts: [GateVerdict]

        fileprivate init(
            alias: String, wanted: Int, isFollowed: Bool, thresholds: String, of all: [GateVerdict]
        ) {
            self.alias = alias
            self.wanted = wanted
            self.isFollowed = isFollowed
            self.thresholds = thresholds
            verdicts = all.filter { $0.alias == alias }
        }

        /// A refusal of a version: one by the same thresholds when there is one; nil when it passed these.
        fileprivate func refusal(of version: Int) -> GateVerdict? {
            if hasPassed(version) { return nil }
            let refusals = verdicts.filter { $0.version == version && $0.isRefusal }
            return refusals.first { $0.thresholds == thresholds } ?? refusals.first
        }

        fileprivate func hasPassed(_ version: Int) -> Bool {
            verdicts.contains { $0.version == version && $0.isPass && $0.thresholds == thresholds }
        }

        /// The last refusal of a version that was taken back, and after which nobody found anything: neither that it passes these
        /// thresholds nor that it does not.
        fileprivate func takenBack(of version: Int) -> GateVerdict? {
            if hasPassed(version) || refusal(of: version) != nil { return nil }
            return verdicts.last { $0.version == version && $0.takenBack != nil }
        }
    }

    /// Reads what is kept; nil for a policy without an alias. A list that cannot be read is told once and counts as empty.
    ///
    /// A version whose refusal was taken back, by promoting it again or by other files, is worth another attempt; one that another server
    /// passed is taken at the next start.
    func keptVerdicts(
        wanted: Int?, _ order: [Int], _ progress: inout Progress
    ) -> KeptVerdicts? {
        guard case .alias(let alias) = policy, let wanted else { return nil }
        let thresholds = settings.gates.comparison
        let isFollowed = order.first == wanted
        do throws(RegistryError) {
            let all = try source.verdicts(of: name)
            progress.hasVerdictComplaint = false
            let kept = KeptVerdicts(
                alias: alias, wanted: wanted, isFollowed: isFollowed, thresholds: thresholds, of: all)
            store.noteTakenBack(name, Set(all.map(\.version)).compactMap { kept.takenBack(of: $0) })
            for version in progress.held where kept.refusal(of: version)?.thresholds != thresholds {
                progress.held.remove(version)
                if kept.hasPassed(version) { continue }
                progress.keepings[version] = nil
                progress.attempts.forget(version)
            }
            return kept
        } catch {
            if !progress.hasVerdictComplaint {
                progress.hasVerdictComplaint = true
                report(.problem(model: name, reason: "\(error)", live: liveModel?.version))
            }
            return KeptVerdicts(
                alias: alias, wanted: wanted, isFollowed: isFollowed, thresholds: thresholds, of: [])
        }
    }

    /// Before the first version of a process: one that was refused waits for another to answer. By the same thresholds it is not even read;
    /// by others it is compared with the one that answers.
    ///
    /// - Returns: the versions that were tried in its place.
    func holdBack(
        _ order: [Int], _ admitted: Set<Int>, _ kept: KeptVerdicts?,
        _ force: Force, quietly: Bool, _ progress: inout Progress
    ) -> [Int] {
        guard let kept, kept.isFollowed, liveModel == nil, !admitted.contains(kept.wanted),
            !progress.held.contains(kept.wanted),
            let refusal = kept.refusal(of: kept.wanted)
        else { return [] }
        let tried = lookBack(order, kept, force, quietly: quietly, &progress)
        if refusal.thresholds == kept.thresholds { refuse(refusal, &progress) }
        return tried
    }

    /// Takes over what a server found before.
    private func refuse(_ verdict: GateVerdict, _ progress: inout Progress) {
        let version = verdict.version
        let known = verdict.gate.flatMap { Gate(rawValue: $0) }
        // Metrics and /models count by the gates of this build.
        let gate = known ?? .overlap
        let foreign = known == nil ? "the gate \(verdict.gate ?? "none"), which this build does not know: " : ""
        let reason = """
            \(foreign)\(verdict.reason ?? "no reason was kept") (found by \(verdict.who) at \(verdict.at.formatted(.iso8601)); promote it \
            again to have it compared anew, with --force to let it through)
            """
        let live = liveModel?.version
        let fingerprint = try? source.fingerprint(of: name, version: version)
        let isNew = progress.attempts.refused(
            version, gate: gate, reason: reason, failure: .refused(version: version, gate, reason: reason),
            fingerprint: fingerprint, mayPass: false, live: live, contents: verdict.contents, now: clock(),
            settings: settings)
        progress.held.insert(version)
        tellRejected(version, gate, reason: reason, isNew: isNew, progress)
    }

    /// The versions that the alias named before and that no server refused, the latest first.
    func earlier(_ kept: KeptVerdicts) -> [Int] {
        let versions = try? source.versions(before: kept.wanted, of: kept.alias, model: name)
        return (versions ?? []).filter { kept.refusal(of: $0) == nil }
    }

    /// What a version is compared with that is the first of a process, that is older than the live one, whether the alias names it or the
    /// operator of this process asked for it, or that the alias was rolled back to: nothing when it passed the same thresholds before or was
    /// live here, nor when no such version is left as it is compared with. That is the latest version below it that the alias named before
    /// and that no server refused: a newer one may be what the operator goes back from.
    ///
    /// - Returns: nil for a version that is compared with the live one, if there is one and it was not live here before.
    func reference(_ version: Int, _ kept: KeptVerdicts?, _ progress: Progress) -> Reference? {
        guard let kept else { return nil }
        let isWayBack = isWayBack(version, kept)
        if kept.hasPassed(version) { return isWayBack ? Reference(answers: nil, note: nil, isWayBack: true) : nil }
        if let live = liveModel, version > live.version && !isWayBack || wasLive(version, progress) {
            return nil
        }
        guard let before = earlier(kept).first(where: { $0 < version }) else {
            return Reference(answers: nil, note: nil, isNothingBefore: true, isWayBack: isWayBack)
        }
        do throws(RegistryError) {
            let answers = try source.goldenAnswers(of: name, version: before)
            let note = answers == nil ? "not compared with version \(before), which has no golden queries" : nil
            return Reference(answers: answers, note: note, isWayBack: isWayBack)
        } catch {
            return Reference(answers: nil, note: "not compared with version \(before): \(error)", isWayBack: isWayBack)
        }
    }

    /// Whether the followed alias was rolled back to a version that no server refused, from an older one that is live here: whoever goes
    /// back from a bad version must not be held against it.
    private func isWayBack(_ version: Int, _ kept: KeptVerdicts) -> Bool {
        guard let live = liveModel, version > live.version, kept.wanted == version, kept.refusal(of: version) == nil,
            let change = try? source.lastChange(of: kept.alias, model: name)
        else { return false }
        return change.action == .rollback && change.to == version
    }

    /// Tells once that the live version answers although a gate refused it: that was taken back, and it was compared with none. Why is
    /// said here when no version is left; otherwise a note of the load has said it.
    func tellUncompared(_ kept: KeptVerdicts?, _ progress: inout Progress) {
        guard let kept, let live = liveModel?.version, let isNothingBefore = progress.uncompared[live],
            let verdict = kept.takenBack(of: live), let takenBack = verdict.takenBack, let gate = verdict.gate
        else { return }
        progress.uncompared[live] = nil
        report(
            .uncompared(
                model: name, version: live, gate: gate, takenBackBy: takenBack.who, at: takenBack.at,
                isNothingBefore: isNothingBefore))
    }

    func wasLive(_ version: Int, _ progress: Progress) -> Bool {
        guard let before = progress.wereLive[version] else { return false }
        return before == (try? source.fingerprint(of: name, version: version))
    }

    /// Writes down what the comparing gates said of the version that the alias names, once. A refusal that could not be written is tried
    /// again at later looks.
    func keepFinding(_ version: Int, _ kept: KeptVerdicts?, _ progress: inout Progress) {
        // Refused before, perhaps for an experiment's arm, it was not compared again.
        let finding =
            progress.findings.removeValue(forKey: version) ?? progress.attempts.finding(version)
            ?? progress.letThrough[version]?.finding
        guard let finding, let kept, kept.wanted == version else { return }
        if let refusal = finding.refusal {
            guard [.overlap, .scoreShift, .catalogue].contains(refusal.gate), !progress.held.contains(version)
            else { return }
            if let keeping = progress.keepings[version], keeping.refusal == refusal {
                guard let next = keeping.next, clock() >= next else { return }
            } else {
                progress.keepings[version] = Keeping(refusal: refusal)
            }
        }
        let verdict = GateVerdict(
            alias: kept.alias, version: version, contents: finding.contents, comparedWith: finding.comparedWith,
            gate: finding.refusal?.gate.rawValue, reason: finding.refusal?.reason, thresholds: kept.thresholds)
        do throws(RegistryError) {
            try source.keep(verdict, of: name)
            if verdict.isRefusal {
                progress.held.insert(version)
                progress.keepings[version]?.next = nil
            }
        } catch {
            // A version that passed is compared again after a restart, which costs milliseconds; one that was refused may come in.
            guard verdict.isRefusal else { return }
            if progress.keepings[version]?.count == 0 {
                report(.unkept(model: name, version: version, reason: "\(error)"))
            }
            progress.keepings[version]?.failed(error, now: clock(), settings)
        }
    }
}
