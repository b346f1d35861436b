import Synchronization

/// Whether the service may be sent traffic, and why not.
package final class Readiness: Sendable {
    package enum State: UInt8, Sendable {
        case loading, ready, draining
    }

    private let value = Atomic<UInt8>(State.loading.rawValue)

    package init() {}

    package var state: State { State(rawValue: value.load(ordering: .relaxed)) ?? .loading }

    package func become(_ state: State) { value.store(state.rawValue, ordering: .relaxed) }

    /// Why `/readyz` says no; nil when it says yes.
    var reason: String? {
        switch state {
        case .loading: "The model is being loaded and verified."
        case .ready: nil
        case .draining: "The process is draining: it answers what it has and will exit."
        }
    }
}
