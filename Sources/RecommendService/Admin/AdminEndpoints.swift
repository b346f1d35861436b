import FactorModel
import FoundationEssentials
import HTTPMessages
import ModelRegistry

/// What an operator is answered with.
enum AdminAnswer {
    /// The body has been written.
    case written(status: Int)
    case postponed(any PostponedAnswer)
}

/// The operator's requests. Those that write a small file and synchronise it are answered when it is durable (``ItemChange``); the loop
/// goes on meanwhile.
extension LoopService {
    /// Answers a request to `/admin`, once its token fits.
    ///
    /// - Parameter segment: the variable part of the path, still encoded.
    func answerAdmin(
        _ route: Route, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ content: Span<UInt8>,
        _ segment: Span<UInt8>, _ query: Span<UInt8>, _ plan: ServingPlan
    ) throws(Problem) -> AdminAnswer {
        guard let admin = service.admin else { throw .unknownPath }
        try admin.check(bytes.extracting(head.header("authorization", in: bytes) ?? 0..<0), route)
        if !route.allows(head.method) { throw .methodNotAllowed(route) }
        if route == .adminReload {
            let contentType = bytes.extracting(head.header("content-type", in: bytes) ?? 0..<0)
            return .written(status: try answerReload(query, contentType, content, plan, admin))
        }
        // A body that nobody reads must not pass silently: an item whose "until" is in it would be gone for good.
        if head.method != .get, head.method != .head, !content.isEmpty {
            throw .badBody(Self.noBody(AdminParameters.names(of: route, head.method), bytes: content.count))
        }
        var parameters = AdminParameters()
        switch route {
        case .adminItem:
            try decodeSegment(segment, "item_id")
            let itemID = pathID.withBytes { AdminParameters.text($0) }
            try parameters.read(query, known: AdminParameters.names(of: route, head.method), plan)
            if head.method == .put { try checkKnown(itemID, parameters) }
            let change: UnavailableItems.Change =
                head.method == .put
                ? .mark(
                    UnavailableItem(
                        itemID: itemID, hotelID: parameters.hotelID, since: Date(), until: parameters.until))
                : .unmark(itemID: itemID, hotelID: parameters.hotelID, at: Date())
            return .postponed(
                ItemChange(change, in: parameters.model.name, self, admin, requestBytes: content.count))
        case .adminItems:
            try parameters.read(query, known: AdminParameters.names(of: route, head.method), plan)
            writeUnavailable(parameters.model.name, admin)
        case .adminDrain, .adminUndrain:
            try parameters.read(query, known: AdminParameters.names(of: route, head.method), plan)
            hold(back: route == .adminDrain, admin)
        default: preconditionFailure("BUG: \(route) is not the operator's")
        }
        return .written(status: 200)
    }

    private static func noBody(_ names: AdminParameters.Names, bytes: Int) -> String {
        let wanted =
            names.isEmpty ? "no parameters are taken" : "the parameters (\(names.list)) belong into the query"
        return "The body has \(bytes) bytes; wanted none: \(wanted)."
    }

    private func answerReload(
        _ query: Span<UInt8>, _ contentType: Span<UInt8>, _ content: Span<UInt8>, _ plan: ServingPlan,
        _ admin: Admin
    ) throws(Problem) -> Int {
        guard let rules = Route.adminReload.bodyRules else { preconditionFailure("BUG: a reload without rules") }
        guard content.isEmpty || Route.adminReload.bodyType.matches(contentType) else {
            throw .unsupportedMediaType(wanted: Route.adminReload.bodyType.wanted)
        }
        guard query.isEmpty else { throw .unknownParameter(.queryOfPost, known: rules.known.list) }
        let status = try writeReload(object: content, rules, plan, into: &body)
        admin.report(.reload)
        return status
    }

    /// A misspelt id must not pass silently: the guest would still be offered what is sold out.
    private func checkKnown(_ itemID: String, _ parameters: borrowing AdminParameters) throws(Problem) {
        let loaded = parameters.model.loaded
        if loaded.isEmpty { throw .notReady(service.models.unreadiness(of: parameters.model.name)) }
        guard loaded.contains(where: { $0.snapshot.item(id: itemID) != nil }) else { throw .unknownItem }
        guard let hotelID = parameters.hotelID else { return }
        guard loaded.contains(where: { $0.snapshot.hotel(id: hotelID) != nil }) else { throw .unknownHotel }
    }

    private func writeUnavailable(_ model: String, _ admin: Admin) {
        body.append("{\"model\":" as StaticString)
        body.appendJSONString(model)
        body.append(",\"unavailable\":[" as StaticString)
        for (place, mark) in admin.unavailable.inForce(model).enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            write(mark)
        }
        body.append("]" as StaticString)
        writeEnd(requestID, into: &body)
    }

    private func hold(back isHeldBack: Bool, _ admin: Admin) {
        service.readiness.hold(back: isHeldBack)
        admin.report(isHeldBack ? .heldBack : .letGo)
        body.append("{\"drained\":" as StaticString)
        body.append(isHeldBack ? "true" : "false" as StaticString)
        writeEnd(requestID, into: &body)
    }

    /// Writes what became of a change.
    ///
    /// - Parameter result: nil when it was never begun.
    func write(
        _ change: UnavailableItems.Change, in model: String, _ result: Result<UnavailableItems.Made, RegistryError>?
    ) throws(Problem) {
        let made: UnavailableItems.Made
        switch result {
        case nil: throw .busy(retryAfterSeconds: 1)
        case .failure(let error): throw .notStored(error)
        case .success(.nothing): throw .notMarked
        case .success(let done): made = done
        }
        body.append("{\"model\":" as StaticString)
        body.appendJSONString(model)
        if case .marked(let mark) = made {
            body.append(",\"unavailable\":" as StaticString)
            write(mark)
        } else if case .unmark(let itemID, let hotelID, _) = change {
            body.append(",\"available\":{\"item_id\":" as StaticString)
            body.appendJSONString(itemID)
            body.append(",\"hotel_id\":" as StaticString)
            writeText(hotelID, into: &body)
            body.append("}" as StaticString)
        }
        writeEnd(requestID, into: &body)
    }

    private func write(_ mark: UnavailableItem) {
        body.append("{\"item_id\":" as StaticString)
        body.appendJSONString(mark.itemID)
        body.append(",\"hotel_id\":" as StaticString)
        writeText(mark.hotelID, into: &body)
        body.append(",\"since\":" as StaticString)
        body.appendJSONString(mark.since.formatted(.iso8601))
        body.append(",\"until\":" as StaticString)
        writeText(mark.until?.formatted(.iso8601), into: &body)
        body.append("}" as StaticString)
    }
}
