package import FoundationEssentials

/// What following a registry has to tell an operator: each once per cause, however often it is met again.
package enum FollowEvent: Equatable, Sendable, CustomStringConvertible {
    /// The policy cannot be followed at the moment; `live` goes on.
    case problem(model: String, reason: String, live: Int?)
    /// It can again.
    case recovered(model: String)
    case loading(model: String, version: Int)
    case rejected(model: String, version: Int, gate: Gate, reason: String, live: Int?)
    /// Another version answers from now on.
    case live(model: String, version: Int, before: Int?)
    /// A version was loaded that no lease keeps from a prune.
    case unleased(model: String, version: Int, reason: String)
    /// The version that the policy wants cannot answer: one that it wanted before does.
    case standsIn(model: String, version: Int, wanted: Int)
    /// A version answers that a gate refused: an operator promoted it again, and it was compared with none. The gate as the registry names
    /// it, which may be one of another build.
    case uncompared(
        model: String, version: Int, gate: String, takenBackBy: String, at: Date, isNothingBefore: Bool)
    /// A refusal could not be written down: a restart knows nothing of it. Told once, however often it is tried again.
    case unkept(model: String, version: Int, reason: String)
    /// The file of codes of a version that answers is no good: the process has made them itself. Any other load of the version fails.
    case codesUnusable(model: String, version: Int, reason: String)
    /// A gate was not asked, or the operator let a version through it.
    case note(model: String, version: Int, String)

    package var isWarning: Bool {
        switch self {
        case .problem, .rejected, .unleased, .standsIn, .uncompared, .unkept, .codesUnusable: true
        case .recovered, .loading, .live, .note: false
        }
    }

    /// Whether something is damaged that an operator has to put right although answers go on.
    package var isError: Bool {
        if case .codesUnusable = self { true } else { false }
    }

    package var description: String {
        switch self {
        case .problem(let model, let reason, let live):
            "\(model): cannot follow: \(reason)\(Self.goingOn(live))"
        case .recovered(let model): "\(model): can be followed again"
        case .loading(let model, let version): "\(model): loading version \(version)"
        case .rejected(let model, let version, let gate, let reason, let live):
            "\(model): version \(version) is rejected by the gate \(gate.rawValue): \(reason)\(Self.goingOn(live))"
        case .live(let model, let version, let before):
            "\(model): version \(version) answers\(before.map { " instead of \($0)" } ?? "")"
        case .unleased(let model, let version, let reason):
            "\(model): version \(version) is not kept from a prune: \(reason)"
        case .standsIn(let model, let version, let wanted):
            "\(model): version \(version) answers in place of version \(wanted), which the policy names"
        case .uncompared(let model, let version, let gate, let who, let at, let isNothingBefore):
            """
            \(model): version \(version) answers uncompared after a refusal by the gate \(gate): \(who) promoted it again at \
            \(at.formatted(.iso8601))\(isNothingBefore ? ", and no version before it is left to compare it with" : "")
            """
        case .unkept(let model, let version, let reason):
            """
            \(model): that version \(version) was rejected is not kept in the registry: \(reason); a restart compares it by golden \
            queries only
            """
        case .codesUnusable(let model, let version, let reason):
            """
            \(model): version \(version) answers with codes that this process made itself: those it was published with cannot be used, and \
            every load but the first of a process refuses the version: \(reason)
            """
        case .note(let model, let version, let text): "\(model): version \(version): \(text)"
        }
    }

    private static func goingOn(_ live: Int?) -> String { live.map { "; version \($0) goes on" } ?? "" }
}
