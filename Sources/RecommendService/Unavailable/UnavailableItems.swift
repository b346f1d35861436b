package import Foundation
package import ModelRegistry
import Synchronization

/// The items that are taken from sale, of every model of a process: read from the registry, where every process that serves a model
/// finds them, and handed to each loaded version as rows.
///
/// A change that was made here is in force for all loops when ``mark(_:in:)`` returns; one that another process made, within
/// ``interval``: a thread of its own looks, so that no load holds it up. What cannot be read leaves the last good marks in force.
package final class UnavailableItems: Sendable {
    /// How often the registry is looked at, in seconds: half of the second that a sold-out item may stay.
    package static let interval = 0.5

    private let registry: Registry
    private let store: ModelStore
    private let report: @Sendable (String) -> Void
    private let state: Mutex<[String: State]>

    private struct State {
        /// As they were last read; nil before that.
        var bytes: [UInt8]??
        var marks: [UnavailableItem] = []
        /// Those of `marks` that were in force when they were handed on.
        var inForce: [UnavailableItem] = []
        var problem: String?
        /// The versions that have the rows of `inForce`.
        var applied: [UnavailableSlot] = []
    }

    /// - Parameter report: told when the marks of a model cannot be read, once per cause, and when they can again.
    package init(_ registry: Registry, _ store: ModelStore, report: @escaping @Sendable (String) -> Void) {
        self.registry = registry
        self.store = store
        self.report = report
        state = Mutex(Dictionary(uniqueKeysWithValues: store.plan.models.map { ($0.name, State()) }))
    }

    // MARK: Following

    /// Looks, and goes on looking on a thread of its own for as long as the process runs.
    package func start() {
        look(at: Date())
        let thread = Thread { [self] in
            while true {
                Thread.sleep(forTimeInterval: Self.interval)
                look(at: Date())
            }
        }
        thread.name = "unavailable"
        thread.start()
    }

    /// Reads what changed, lets go of marks that are over, and hands both to the loaded versions.
    package func look(at now: Date) {
        for model in store.plan.models {
            state.withLock { states in
                var state = states[model.name] ?? State()
                read(model.name, &state)
                apply(&state, model.name, at: now)
                states[model.name] = state
            }
        }
    }

    /// Gives a version that is about to be published the marks in force, so that it never answers without them.
    package func prepare(_ model: ServedModel) {
        let inForce = state.withLock { $0[model.name]?.inForce ?? [] }
        if !inForce.isEmpty { model.unavailable.replace(with: UnavailableRows(inForce, model.snapshot)) }
    }

    private func read(_ model: String, _ state: inout State) {
        do throws(RegistryError) {
            let bytes = try registry.unavailableBytes(of: model)
            if state.bytes != .some(bytes) {
                state.marks = try registry.unavailableItems(bytes ?? [], of: model)
                state.bytes = .some(bytes)
            }
            if state.problem != nil { report("\(model): the unavailable items can be read again") }
            state.problem = nil
        } catch {
            // While the registry is away nothing is put back on sale.
            let problem = "\(error)"
            if state.problem != problem { report("\(model): the unavailable items cannot be read: \(problem)") }
            state.problem = problem
        }
    }

    private func apply(_ state: inout State, _ model: String, at now: Date) {
        let inForce = state.marks.filter { !$0.isOver(at: now) }
        let loaded = store.plan.model(named: model)?.loaded ?? []
        let haveChanged = inForce != state.inForce
        for version in loaded
        where haveChanged || !state.applied.contains(where: { $0 === version.unavailable }) {
            version.unavailable.replace(with: UnavailableRows(inForce, version.snapshot))
        }
        state.inForce = inForce
        state.applied = loaded.map(\.unavailable)
    }

    // MARK: Changes

    /// Takes an item from sale: durable, and in force for all loops, when it returns.
    package func mark(_ item: UnavailableItem, in model: String) throws(RegistryError) {
        take(try registry.mark(item, unavailableIn: model), model, at: item.since)
    }

    /// Puts an item back on sale.
    ///
    /// - Returns: false when there was no such mark.
    package func unmark(
        itemID: String, hotelID: String?, in model: String, at now: Date
    ) throws(RegistryError) -> Bool {
        guard
            let marks = try registry.unmark(itemID: itemID, hotelID: hotelID, unavailableIn: model, at: now)
        else { return false }
        take(marks, model, at: now)
        return true
    }

    private func take(_ marks: [UnavailableItem], _ model: String, at now: Date) {
        state.withLock { states in
            var state = states[model] ?? State()
            state.marks = marks
            // What the file holds may have moved on since: the next look reads it again.
            state.bytes = nil
            state.problem = nil
            apply(&state, model, at: now)
            states[model] = state
        }
    }

    // MARK: What is known

    /// The marks in force of a model.
    package func inForce(_ model: String) -> [UnavailableItem] { state.withLock { $0[model]?.inForce ?? [] } }

    /// Whether a model's marks could be read at the last look.
    func isReadable(_ model: String) -> Bool { state.withLock { $0[model]?.problem == nil } }
}
