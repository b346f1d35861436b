import Synchronization

/// Whether the service may be sent traffic, and why not.
package final class Readiness: Sendable {
    package enum State: UInt8, Sendable {
        case loading, ready, draining
    }

    private let value = Atomic<UInt8>(State.loading.rawValue)
    private let isHeldBack = Atomic<Bool>(false)

    package init() {}

    package var state: State { State(rawValue: value.load(ordering: .relaxed)) ?? .loading }

    /// From loading to ready.
    ///
    /// - Returns: false when the process is draining already: a stop that came first is not taken back.
    package func becomeReady() -> Bool {
        // Relaxed, here and below: it says when to send traffic, and guards nothing.
        value.compareExchange(
            expected: State.loading.rawValue, desired: State.ready.rawValue, ordering: .relaxed
        ).exchanged
    }

    /// - Returns: what it was until now. One caller gets another answer than `draining`: it is the one that ends the process.
    package func beginDraining() -> State {
        State(rawValue: value.exchange(State.draining.rawValue, ordering: .relaxed)) ?? .draining
    }

    /// Asks for no more traffic, or for it again: by an operator, whatever the process itself is at.
    package func hold(back isHeldBack: Bool) { self.isHeldBack.store(isHeldBack, ordering: .relaxed) }

    /// Why `/readyz` says no; nil when it says yes.
    var reason: String? {
        switch state {
        case .loading: "The model is being loaded and verified."
        case .ready:
            isHeldBack.load(ordering: .relaxed)
                ? "An operator drained the process: it answers, and wants no traffic until POST /admin/undrain." : nil
        case .draining: "The process is draining: it answers what it has and will exit."
        }
    }
}
