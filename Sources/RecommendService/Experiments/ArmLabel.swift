import HTTPMessages

/// Which arm of which experiment gave an answer, written as it is said.
package struct ArmLabel: Sendable {
    let experiment: String
    let arm: String
    /// `als256=candidate`, for the header.
    let header: String

    init(experiment: String, arm: String) {
        self.experiment = experiment
        self.arm = arm
        header = "\(experiment)=\(arm)"
    }
}

/// What an answer of a model says about experiments.
package enum ArmStatement: Sendable {
    /// There are none on the model: nothing is said.
    case none
    /// There are, and the guest is in none of them, or its version was not there to answer.
    case outside
    case arm(ArmLabel)

    /// `,"experiment":"als256","arm":"candidate"`
    func write(into body: inout ByteBuffer) {
        switch self {
        case .none: break
        case .outside: body.append(",\"experiment\":null,\"arm\":null" as StaticString)
        case .arm(let label):
            body.append(",\"experiment\":" as StaticString)
            body.appendJSONString(label.experiment)
            body.append(",\"arm\":" as StaticString)
            body.appendJSONString(label.arm)
        }
    }
}
