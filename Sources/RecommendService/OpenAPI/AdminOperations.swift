/// What the OpenAPI document says of the operator's paths that take their parameters in the query.
enum AdminOperations {
    /// The members of one path; nil for one of another kind.
    static func text(of route: Route) -> String? {
        switch route {
        case .adminItem: "\"put\":{\(mark)},\n \"delete\":{\(unmark)}"
        case .adminItems: "\"get\":{\(list)}"
        case .adminDrain:
            "\"post\":{\(hold("drain", "Ask for no more traffic", "/readyz says 503 until POST /admin/undrain; requests are answered."))}"
        case .adminUndrain:
            "\"post\":{\(hold("undrain", "Ask for traffic again", "Ends what POST /admin/drain began."))}"
        default: nil
        }
    }

    static let securitySchemes = #""securitySchemes":{"adminToken":{"type":"http","scheme":"bearer"}}"#

    static let security = #""security":[{"adminToken":[]}]"#

    private static let common = "\"tags\":[\"Operate\"],\(security)"
    private static let itemID =
        ##"{"name":"item_id","in":"path","required":true,"schema":{"$ref":"#/components/schemas/ID"}}"##
    private static let hotelID = """
        {"name":"hotel_id","in":"query","description":"The hotel that has none; all of them when it is not given.",\
        "schema":{"$ref":"#/components/schemas/ID"}}
        """
    private static let until = """
        {"name":"until","in":"query","description":"When it is back by itself, at most \(Int(AdminParameters.daysMax)) days ahead.",\
        "schema":{"type":"string","format":"date-time"}}
        """
    private static let model = """
        {"name":"model","in":"query","description":"Which of the served models; the first when it is not given.",\
        "schema":{"type":"string","pattern":"\(Parameter.modelNamePattern)"}}
        """
    private static let requestID = ##""headers":{"X-Request-ID":{"$ref":"#/components/headers/X-Request-ID"}}"##

    private static let notStored = """
        not-stored: the change may not be durable, or was not made; repeat it. busy: as many changes wait as are kept, and this one was not \
        begun; Retry-After says when to repeat it.
        """

    private static func answer(_ meaning: String) -> String {
        """
        "200":{"description":"\(meaning)",\(requestID),"content":{"application/json":{"schema":{"type":"object"}}}}
        """
    }

    private static func problems(_ statuses: [(String, String)]) -> String {
        (statuses + [("401", "No token, or a wrong one."), ("default", "A refusal of the server's own.")]).map {
            """
            "\($0.0)":{"description":"\($0.1)","content":{"application/problem+json":\
            {"schema":{"$ref":"#/components/schemas/Problem"}}}}
            """
        }.joined(separator: ",")
    }

    private static let mark = """
        "operationId":"markUnavailable","summary":"Take an item from sale",\(common),\
        "description":"Gone from every answer, of every process that serves the model, within a second; survives restarts. All that it takes is in the query: a body is refused.",\
        "parameters":[\(itemID),\(hotelID),\(until),\(model)],"responses":{\(answer("It is.")),\
        \(problems([
            ("400", "A parameter is unknown, repeated or out of its bounds, or there is a body."),
            ("404", "The model does not hold the item or the hotel."), ("409", "As many marks as are taken."),
            ("503", "\(notStored)"),
        ]))}
        """
    private static let unmark = """
        "operationId":"markAvailable","summary":"Put an item back on sale",\(common),\
        "description":"Takes back the mark for the same hotel, or the one for all hotels.",\
        "parameters":[\(itemID),\(hotelID),\(model)],"responses":{\(answer("It is.")),\
        \(problems([
            ("400", "A parameter is unknown, repeated or out of its bounds, or there is a body."),
            ("404", "The model does not hold the item or the hotel, or there is no such mark."),
            ("503", "\(notStored)"),
        ]))}
        """
    private static let list = """
        "operationId":"unavailableItems","summary":"Every item that is taken from sale",\(common),\
        "parameters":[\(model)],"responses":{\(answer("The marks in force, oldest first.")),\
        \(problems([("400", "A parameter is unknown."), ("404", "No such model is served.")]))}
        """

    private static func hold(_ id: String, _ summary: String, _ description: String) -> String {
        """
        "operationId":"\(id)","summary":"\(summary)",\(common),"description":"\(description)",\
        "responses":{\(answer("Done.")),\(problems([("400", "There is a parameter or a body, and none is taken.")]))}
        """
    }
}
