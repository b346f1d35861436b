import ModelRegistry

extension FollowedModel {
    /// Loads the versions that experiments and the shadow ask for. An arm keeps the version that it had until the next one is ready; one
    /// that never had any is left to the live version.
    ///
    /// - Returns: what the arms ask for, and what they have.
    func select(
        _ known: [Int], _ force: Force, _ kept: KeptVerdicts?, quietly: Bool, _ progress: inout Progress
    ) -> [Int] {
        let wishes = store.selectors(of: name).map { ($0, wanted($0, &progress)) }
        // While the model has no live version an arm's is a first one.
        var firsts: [ServedModel] = []
        for case (let selector, let version?) in wishes where !isLoaded(version) && known.contains(version) {
            let isForced = force.opens(version, for: selector)
            // Once it is loaded the followed alias may name it too: an older one must be as good for an arm as for that.
            let reference = isForced || liveModel == nil ? nil : reference(version, kept, progress)
            let first = load(version, isForced: isForced, quietly: quietly, reference: reference, &progress)
            if let first { firsts.append(first) }
        }
        var selections: [(selector: VersionPolicy, version: Int)] = []
        for (selector, wanted) in wishes {
            if let wanted, mayAnswer(wanted, isForced: force.opens(wanted, for: selector), progress) {
                selections.append((selector, wanted))
            } else if let before = store.plan.model(named: name)?.selected(selector)?.version {
                selections.append((selector, before))
            }
        }
        store.select(name, selections)
        for first in firsts { complete(first, quietly: quietly) }
        return selections.map(\.version) + wishes.compactMap { $0.1 }
    }

    /// The version that a selector names; nil when it names none, which is told once.
    private func wanted(_ selector: VersionPolicy, _ progress: inout Progress) -> Int? {
        do throws(RegistryError) {
            let version = try source.versions(wanted: selector, of: name).first
            progress.unselected.removeAll { $0 == selector }
            return version
        } catch {
            if !progress.unselected.contains(selector) {
                progress.unselected.append(selector)
                let reason = "for an experiment or the shadow: \(error)"
                report(.problem(model: name, reason: reason, live: liveModel?.version))
            }
            return nil
        }
    }

    /// Reads versions again whose files changed under the process, which nobody who publishes does: what was mapped may already be something
    /// else. The new contents take the place of the old ones when they verify; otherwise the process goes on with what it has.
    func reloadChanged(_ known: [Int], quietly: Bool, _ progress: inout Progress) {
        for version in loadedVersions where known.contains(version) {
            guard let before = progress.fingerprints[version],
                let now = try? source.fingerprint(of: name, version: version), now != before
            else { continue }
            if progress.changed.insert(version).inserted {
                let reason = "\(FollowFailure.changed(version: version))"
                report(.problem(model: name, reason: reason, live: liveModel?.version))
            }
            // Force that let the version through goes for what takes its place.
            let first = load(version, isForced: progress.letThrough[version] != nil, quietly: quietly, &progress)
            complete(first, quietly: quietly)
            if progress.fingerprints[version] != before {
                progress.changed.remove(version)
                report(.note(model: name, version: version, "was read again: its changed files verify"))
            }
        }
    }
}

/// Who lets versions of one model through the gates, at one look.
struct Force {
    /// What the operator of this process asked for.
    let byOperator: ForcedVersions
    /// What the registry notes: versions by the alias that was pointed at them by force.
    let marks: [String: Int]

    /// A mark goes for those who follow its alias and for nobody else.
    func opens(_ version: Int, for selector: VersionPolicy) -> Bool {
        if byOperator.contains(version) { return true }
        if case .alias(let alias) = selector { return marks[alias] == version }
        return false
    }
}
