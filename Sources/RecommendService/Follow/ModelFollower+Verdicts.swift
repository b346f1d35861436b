import Foundation
import ModelRegistry

/// What a version refused by a running server is, after that server's restart: the first version of a process has no live one beside it, so
/// refusals are kept in the registry, and a version of which nothing is kept is compared with what the one before it answered where it was
/// made. A process never goes without a version while there is one that was not refused.
extension ModelFollower {
    /// What the comparing gates said of a version.
    struct Finding {
        let comparedWith: Int
        /// nil when all passed it.
        let refusal: GateRefusal?
    }

    /// What the first version of a process is compared with.
    struct Reference {
        let answers: GoldenAnswers?
        /// Why there is nothing to compare with.
        let note: String?
    }

    /// What servers made of the versions of the alias that a model follows.
    struct KeptVerdicts {
        let alias: String
        /// The version that the alias names.
        let wanted: Int
        let thresholds: String
        fileprivate let verdicts: [GateVerdict]

        fileprivate init(alias: String, wanted: Int, thresholds: String, of all: [GateVerdict]) {
            self.alias = alias
            self.wanted = wanted
            self.thresholds = thresholds
            verdicts = all.filter { $0.alias == alias }
        }

        /// A refusal of a version: one by the same thresholds when there is one.
        fileprivate func refusal(of version: Int) -> GateVerdict? {
            let refusals = verdicts.filter { $0.version == version && $0.isRefusal }
            return refusals.first { $0.thresholds == thresholds } ?? refusals.first
        }

        fileprivate func hasPassed(_ version: Int) -> Bool {
            verdicts.contains { $0.version == version && !$0.isRefusal && $0.thresholds == thresholds }
        }
    }

    /// Reads what is kept; nil for a policy without an alias, and while the operator of this process asked for another version than the
    /// alias names. A list that cannot be read is told once and counts as empty.
    ///
    /// A version whose refusal was taken back, by pointing the alias at it again, is worth another attempt.
    func keptVerdicts(
        _ name: String, _ policy: VersionPolicy, wanted: Int?, _ order: [Int], _ progress: inout Progress
    ) -> KeptVerdicts? {
        guard case .alias(let alias) = policy, let wanted, order.first == wanted else { return nil }
        let thresholds = settings.gates.comparison
        do throws(RegistryError) {
            let all = try source.verdicts(of: name)
            progress.hasVerdictComplaint = false
            let kept = KeptVerdicts(alias: alias, wanted: wanted, thresholds: thresholds, of: all)
            for version in progress.held where kept.refusal(of: version)?.thresholds != thresholds {
                progress.held.remove(version)
                progress.lastKept[version] = nil
                progress.attempts.forget(version)
            }
            return kept
        } catch {
            if !progress.hasVerdictComplaint {
                progress.hasVerdictComplaint = true
                report(.problem(model: name, reason: "\(error)", live: live(name)?.version))
            }
            return KeptVerdicts(alias: alias, wanted: wanted, thresholds: thresholds, of: [])
        }
    }

    /// Before the first version of a process: one that was refused waits for another to answer. By the same thresholds it is not even read;
    /// by others it is compared with the one that answers.
    ///
    /// - Returns: the versions that were tried in its place.
    func holdBack(
        _ name: String, _ policy: VersionPolicy, _ order: [Int], _ admitted: Set<Int>, _ kept: KeptVerdicts?,
        _ force: Force, quietly: Bool, _ progress: inout Progress
    ) -> [Int] {
        guard let kept, live(name) == nil, !admitted.contains(kept.wanted), !progress.held.contains(kept.wanted),
            let refusal = kept.refusal(of: kept.wanted)
        else { return [] }
        let tried = lookBack(name, policy, order, kept, force, quietly: quietly, &progress)
        if refusal.thresholds == kept.thresholds { refuse(name, refusal, &progress) }
        return tried
    }

    /// Takes over what a server found before.
    private func refuse(_ name: String, _ verdict: GateVerdict, _ progress: inout Progress) {
        let version = verdict.version
        let gate = verdict.gate.flatMap { Gate(rawValue: $0) } ?? .overlap
        let reason = """
            \(verdict.reason ?? "no reason was kept") (found by \(verdict.who) at \(verdict.at.formatted(.iso8601)); promote it \
            again to have it compared anew, with --force to let it through)
            """
        let live = live(name)?.version
        let fingerprint = try? source.fingerprint(of: name, version: version)
        let isNew = progress.attempts.refused(
            version, gate: gate, reason: reason, failure: .refused(version: version, gate, reason: reason),
            fingerprint: fingerprint, mayPass: false, live: live, now: clock(), settings: settings)
        progress.held.insert(version)
        store.noteRejected(name, version: version, gate: gate, reason: reason, isNew: isNew, at: wallClock)
        if isNew {
            report(.rejected(model: name, version: version, gate: gate, reason: reason, live: live))
        }
    }

    /// The versions that the alias named before and that no server refused, the latest first.
    func earlier(_ name: String, _ kept: KeptVerdicts) -> [Int] {
        let versions = try? source.versions(before: kept.wanted, of: kept.alias, model: name)
        return (versions ?? []).filter { kept.refusal(of: $0) == nil }
    }

    /// What the first version of a process is compared with: nothing when it passed the same thresholds before, or is older than the one
    /// before it, which is a way back.
    func reference(_ name: String, _ version: Int, _ kept: KeptVerdicts?) -> Reference? {
        guard let kept, kept.wanted == version, live(name) == nil, !kept.hasPassed(version),
            let before = earlier(name, kept).first, before < version
        else { return nil }
        do throws(RegistryError) {
            let answers = try source.goldenAnswers(of: name, version: before)
            return Reference(
                answers: answers,
                note: answers == nil ? "not compared with version \(before), which has no golden queries" : nil)
        } catch {
            return Reference(answers: nil, note: "not compared with version \(before): \(error)")
        }
    }

    /// Writes down what the comparing gates said of the version that the alias names, once.
    func keepFinding(_ name: String, _ version: Int, _ kept: KeptVerdicts?, _ progress: inout Progress) {
        // Refused before, perhaps for an experiment's arm, it was not compared again.
        let finding = progress.findings.removeValue(forKey: version) ?? progress.attempts.finding(version)
        guard let finding, let kept, kept.wanted == version else { return }
        if let refusal = finding.refusal {
            guard [.overlap, .scoreShift, .catalogue].contains(refusal.gate), !progress.held.contains(version),
                progress.lastKept[version] != refusal
            else { return }
            progress.lastKept[version] = refusal
        }
        let verdict = GateVerdict(
            alias: kept.alias, version: version, comparedWith: finding.comparedWith,
            gate: finding.refusal?.gate.rawValue, reason: finding.refusal?.reason, thresholds: kept.thresholds)
        do throws(RegistryError) {
            try source.keep(verdict, of: name)
            if verdict.isRefusal { progress.held.insert(version) }
        } catch {
            // A version that passed is compared again after a restart, which costs milliseconds; one that was refused may come in.
            if verdict.isRefusal { report(.unkept(model: name, version: version, reason: "\(error)")) }
        }
    }
}
