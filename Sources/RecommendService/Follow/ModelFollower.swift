import Dispatch
package import HTTPServer
package import ModelRegistry

/// Keeps a ``ModelStore`` at what the registry and the operator want: resolves policies, loads, verifies, warms, compares, swaps, and gives
/// back memory.
///
/// Everything long (reading, verifying, warming, comparing, unmapping) happens on threads of low priority, everything that loops may wait
/// for on those of theirs: a thread that is put aside while it holds a lock would stop them all. Loops see nothing of it but a new plan. What
/// cannot be had leaves everything as it is: a registry that disappears, an alias that points nowhere or a version that is bad cost a message,
/// never the version that answers. Models do not wait for one another.
package final class ModelFollower: Sendable {
    package let store: ModelStore
    private let followed: [FollowedModel]

    package init(
        _ store: ModelStore, _ source: any ModelSource, settings: FollowSettings = FollowSettings(),
        clock: @escaping @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 },
        prepare: @escaping @Sendable (ServedModel) -> Void = { _ in },
        report: @escaping @Sendable (FollowEvent) -> Void
    ) throws(SystemError) {
        self.store = store
        var followed: [FollowedModel] = []
        // Not the plan itself: what holds it holds its versions in memory.
        for (name, policy) in store.plan.models.map({ ($0.name, $0.policy) }) {
            followed.append(
                try FollowedModel(
                    name, policy, store, source, settings: settings, clock: clock, prepare: prepare, report: report))
        }
        self.followed = followed
    }

    // MARK: Running

    /// Looks once, and waits for what has to be loaded.
    ///
    /// - Parameter quietly: loads on threads of low priority instead of the calling one.
    /// - Returns: why models have no version that can answer, by name; empty when all have one.
    @discardableResult
    package func look(quietly: Bool = false) -> [String: FollowFailure] {
        var failures: [String: FollowFailure] = [:]
        for model in followed { failures[model.name] = model.look(quietly: quietly) }
        return failures
    }

    /// Follows until ``stop()``, each model on a thread of its own.
    package func start() throws(SystemError) {
        for model in followed { try POSIXThread.detach(name: "model-follower") { model.run() } }
    }

    package func stop() {
        for model in followed { model.stop() }
    }

    /// Looks soon, on the followers' threads.
    package func wake() {
        for model in followed { model.wake() }
    }

    /// When the next attempt that waiting may help is due, on the follower's clock; nil when there is none.
    package var nextAttempt: Double? { followed.compactMap(\.nextAttempt).min() }

    /// Makes what the versions that a process has started with answer without until then, those of arms and shadows included: any of them
    /// may be the live one later, and none is completed a second time. Call it once, when the process is ready.
    package func prepareLoaded() {
        for model in followed { model.prepareLoaded() }
    }

    // MARK: The operator

    /// Asks for a version, whatever the policy wants, until the policy wants another than it does now or ``follow(_:force:)`` is called.
    ///
    /// A version that is loaded answers at once, but for one that a gate refused and force let in for somebody else; another is loaded on the
    /// follower's thread.
    ///
    /// - Parameter force: let it through the gates. It is verified all the same: what is damaged never answers.
    /// - Returns: whether it answers already.
    package func pin(_ model: String, version: Int, force: Bool) -> Bool {
        followed.first { $0.name == model }?.pin(version, force: force) ?? false
    }

    /// Goes back to the policies of models, and looks soon, also at what was refused before. With `force`, what a policy wants is let
    /// through the gates.
    package func follow(_ models: [String], force: Bool) {
        for model in followed where models.contains(model.name) { model.unpin(force: force) }
    }

    /// Looks soon, also at what was refused before.
    package func lookAgain() {
        for model in followed { model.lookAgain() }
    }
}

/// Why a model does not have the version that it should.
package enum FollowFailure: Equatable, Sendable, CustomStringConvertible {
    case registry(RegistryError)
    case refused(version: Int, Gate, reason: String)
    /// The operator asked for a version that is not there.
    case missing(version: Int)
    /// Files of a version that is loaded were written to.
    case changed(version: Int)

    package var description: String {
        switch self {
        case .registry(let error): "\(error)"
        case .refused(let version, let gate, let reason):
            "version \(version) is rejected by the gate \(gate.rawValue): \(reason)"
        case .missing(let version): "version \(version), which was asked for, is not in the registry"
        case .changed(let version):
            "the files of version \(version) changed while it is loaded; publish another version instead of writing over one"
        }
    }
}
