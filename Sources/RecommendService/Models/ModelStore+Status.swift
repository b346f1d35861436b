package import ModelRegistry

/// How an attempt to load a version ended; the names are metric labels.
package enum LoadResult: String, Sendable, CaseIterable {
    case success
    /// It could not be read or is damaged.
    case failure
    /// A gate refused it.
    case rejected
}

/// A kind of rejection, counted.
struct Rejection: Hashable {
    let model: String
    let gate: Gate
}

extension ModelStore {
    /// Every model as `GET /models` shows it, in the order of the command line.
    package func statuses() -> [ModelStatus] { note { $0.entries.map(\.status) } }

    /// One of them; nil for a model that is not served.
    package func status(of name: String) -> ModelStatus? {
        note { state in state.place(of: name).map { state.entries[$0].status } }
    }

    /// Why a model cannot answer yet, in words for `/readyz` and for requests that ask for it.
    func unreadiness(of name: String) -> String {
        let problem = status(of: name)?.problem
        return
            "The model '\(name)' has no version that can answer yet: \(problem ?? "it is being loaded and verified")."
    }

    // MARK: Notes of whoever loads

    /// What the registry held at a look.
    package func noteRegistry(_ name: String, versions: [Int], aliases: [String: Int], at time: Double) {
        edit(name) { entry in
            entry.available = versions
            entry.aliases = aliases
            entry.lookedAt = time
            // A version that went away takes its reason with it: numbers are never reused.
            let known = Set(versions)
            entry.notes = entry.notes.filter { known.contains($0.key) || $0.value.state == .loading }
        }
    }

    /// That the registry holds what it held at the last look.
    package func noteUnchanged(at time: Double) {
        note { state in
            for place in state.entries.indices where state.entries[place].lookedAt != nil {
                state.entries[place].lookedAt = time
            }
        }
    }

    /// Why the policy cannot be followed; nil when it can.
    package func noteProblem(_ name: String, _ problem: String?, at time: Double) {
        edit(name) { entry in
            entry.problem = problem
            entry.lookedAt = time
        }
    }

    /// The refusals of versions that were taken back and after which nobody compared them.
    package func noteTakenBack(_ name: String, _ verdicts: [GateVerdict]) {
        edit(name) { entry in
            entry.takenBack = Dictionary(verdicts.map { ($0.version, $0) }, uniquingKeysWith: { $1 })
        }
    }

    /// That the live version answers in place of the one that the policy wants; nil when it is that one.
    package func noteStandIn(_ name: String, for wanted: Int?) {
        edit(name) { $0.standsInFor = $0.live == nil ? nil : wanted }
    }

    /// The version that the policy of a model wants while another answers in its place.
    func standIn(of name: String) -> Int? {
        note { state in state.place(of: name).flatMap { state.entries[$0].standsInFor } }
    }

    package func noteLoading(_ name: String, version: Int, bytes: Int = 0, at time: Double) {
        edit(name) {
            $0.notes[version] = VersionStatus(version: version, state: .loading, since: time)
            $0.loadingBytes = bytes
        }
    }

    func noteLoadEnded(_ name: String) { edit(name) { $0.loadingBytes = 0 } }

    /// Versions that are loaded and answer only those who asked for them by force.
    func noteLetThrough(_ name: String, _ versions: Set<Int>) { edit(name) { $0.letThrough = versions } }

    /// - Parameters:
    ///   - isNew: false when the same was said before: then it is not counted again.
    ///   - problem: of the version that the policy wants, what this means for the model; nil for any other. It is told in the same step as
    ///     the refusal, and so is that the live version stands in for it.
    package func noteRejected(
        _ name: String, version: Int, gate: Gate, reason: String, isNew: Bool = true, problem: String? = nil,
        at time: Double
    ) {
        note { state in
            guard let place = state.place(of: name) else { return }
            state.entries[place].notes[version] = VersionStatus(
                version: version, state: .rejected, reason: reason, gate: gate, since: time)
            if let problem {
                state.entries[place].problem = problem
                let live = state.entries[place].live
                if live != nil, live != version { state.entries[place].standsInFor = version }
            }
            guard isNew else { return }
            state.loads[gate == .verify ? .failure : .rejected, default: 0] += 1
            state.rejections[Rejection(model: name, gate: gate), default: 0] += 1
        }
    }

    /// A version was loaded and passed everything.
    package func noteLoaded() { note { $0.loads[.success, default: 0] += 1 } }

    /// Forgets what was said of a version, so that it is tried again.
    package func forgetNote(_ name: String, version: Int) { edit(name) { $0.notes[version] = nil } }

    private func edit(_ name: String, _ body: (inout Entry) -> Void) {
        note { state in
            guard let place = state.place(of: name) else { return }
            body(&state.entries[place])
        }
    }
}

extension Entry {
    var status: ModelStatus {
        let numbers = Set(available).union(loaded.keys).union(notes.keys).sorted(by: >)
        return ModelStatus(
            name: declaration.name, policy: declaration.policy, live: live, standsInFor: standsInFor,
            versions: numbers.map { version in
                var status = status(of: version)
                status.takenBack = takenBack[version]
                return status
            }, aliases: aliases, problem: problem, lookedAt: lookedAt)
    }

    private func status(of version: Int) -> VersionStatus {
        if let model = loaded[version] {
            return VersionStatus(version: version, state: .ready, since: model.loadedAt)
        }
        return notes[version] ?? VersionStatus(version: version, state: .available)
    }
}
