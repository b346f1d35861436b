import FoundationEssentials
import HTTPMessages
import ModelRegistry

extension LoopService {
    /// `GET /models`: every model of this process and the state of every version. Nothing is read from the registry for it: it says what
    /// the last look found.
    func writeModels(
        _ query: Span<UInt8>, _ rules: ParameterRules, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try checkEmpty(query, rules)
        body.append("{\"models\":[" as StaticString)
        for (place, status) in service.models.statuses().enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            writeStatus(status, isStandard: place == 0, into: &body)
        }
        body.append("]" as StaticString)
        writeEnd(requestID, into: &body)
        return "application/json"
    }

    /// `GET /models/{name}`: one of them.
    func writeModelStatus(
        _ segment: Span<UInt8>, _ query: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan,
        into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try decodeSegment(segment, "name")
        try checkEmpty(query, rules)
        let name = pathID.withBytes { plan.model(named: $0)?.name }
        guard let name, let status = service.models.status(of: name) else {
            throw .unknownModel(known: plan.models.map(\.name))
        }
        writeStatus(status, isStandard: name == plan.standard.name, into: &body)
        // The object goes on: what every answer ends with.
        body.truncate(to: body.count - 1)
        writeEnd(requestID, into: &body)
        return "application/json"
    }

    private func checkEmpty(_ query: Span<UInt8>, _ rules: ParameterRules) throws(Problem) {
        try forEachQueryItem(in: query) { (_, _) throws(Problem) in
            throw .unknownParameter(.query, known: rules.known.list)
        }
    }

    /// Versions in one list: the newest, and those of which there is something to say.
    static let listedVersionsMax = 1000

    private func writeStatus(_ status: ModelStatus, isStandard: Bool, into body: inout ByteBuffer) {
        body.append("{\"name\":" as StaticString)
        body.appendJSONString(status.name)
        body.append(",\"default\":" as StaticString)
        body.append(isStandard ? "true" : "false" as StaticString)
        body.append(",\"policy\":" as StaticString)
        writePolicy(status.policy, into: &body)
        body.append(",\"live\":" as StaticString)
        writeOptional(status.live.map { String($0) }, into: &body)
        body.append(",\"in_place_of\":" as StaticString)
        writeOptional(status.standsInFor.map { String($0) }, into: &body)
        body.append(",\"problem\":" as StaticString)
        writeText(status.problem, into: &body)
        body.append(",\"looked_at\":" as StaticString)
        writeTime(status.lookedAt, into: &body)
        body.append(",\"aliases\":{" as StaticString)
        for (place, alias) in status.aliases.sorted(by: { $0.key < $1.key }).enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            body.appendJSONString(alias.key)
            body.append(UInt8(ascii: ":"))
            body.appendDecimal(alias.value)
        }
        body.append("},\"versions\":[" as StaticString)
        writeVersions(of: status, into: &body)
        body.append("]}" as StaticString)
    }

    private func writeVersions(of status: ModelStatus, into body: inout ByteBuffer) {
        let named = Set(status.aliases.values)
        var written = 0
        for (place, version) in status.versions.enumerated()
        where place < Self.listedVersionsMax || version.state != .available || named.contains(version.version)
            || version.takenBack != nil
        {
            if written > 0 { body.append(UInt8(ascii: ",")) }
            written += 1
            body.append("{\"version\":" as StaticString)
            body.appendDecimal(version.version)
            body.append(",\"state\":" as StaticString)
            body.appendJSONString(version.state.rawValue)
            body.append(",\"live\":" as StaticString)
            body.append(version.version == status.live ? "true" : "false" as StaticString)
            body.append(",\"since\":" as StaticString)
            writeTime(version.since, into: &body)
            body.append(",\"gate\":" as StaticString)
            writeText(version.gate?.rawValue, into: &body)
            body.append(",\"reason\":" as StaticString)
            writeText(version.reason, into: &body)
            if let verdict = version.takenBack { writeTakenBack(verdict, into: &body) }
            body.append(UInt8(ascii: "}"))
        }
    }

    /// Which gate refused the version, and who took that back.
    private func writeTakenBack(_ verdict: GateVerdict, into body: inout ByteBuffer) {
        guard let gate = verdict.gate, let takenBack = verdict.takenBack else { return }
        body.append(",\"taken_back\":{\"gate\":" as StaticString)
        body.appendJSONString(gate)
        body.append(",\"reason\":" as StaticString)
        writeText(verdict.reason, into: &body)
        body.append(",\"at\":" as StaticString)
        writeTime(takenBack.at.timeIntervalSince1970, into: &body)
        body.append(",\"who\":" as StaticString)
        body.appendJSONString(takenBack.who)
        body.append(",\"why\":" as StaticString)
        body.appendJSONString(takenBack.reason)
        body.append(UInt8(ascii: "}"))
    }

    /// `{"alias":"production"}`, `{"version":7}` or `{"latest":2}`
    private func writePolicy(_ policy: VersionPolicy, into body: inout ByteBuffer) {
        switch policy {
        case .alias(let name):
            body.append("{\"alias\":" as StaticString)
            body.appendJSONString(name)
        case .version(let number):
            body.append("{\"version\":" as StaticString)
            body.appendDecimal(number)
        case .latest(let count):
            body.append("{\"latest\":" as StaticString)
            body.appendDecimal(count)
        }
        body.append(UInt8(ascii: "}"))
    }

    /// A string, or null.
    func writeText(_ text: String?, into body: inout ByteBuffer) {
        if let text { body.appendJSONString(text) } else { body.append("null" as StaticString) }
    }

    private func writeOptional(_ literal: String?, into body: inout ByteBuffer) { body.append(literal ?? "null") }

    /// ISO 8601 in UTC, to the second.
    private func writeTime(_ seconds: Double?, into body: inout ByteBuffer) {
        guard let seconds else { return body.append("null" as StaticString) }
        body.appendJSONString(Date(timeIntervalSince1970: seconds).formatted(.iso8601))
    }
}
