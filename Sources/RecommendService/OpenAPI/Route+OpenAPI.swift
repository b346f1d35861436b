/// What the OpenAPI document says of one method of a route beyond its parameters.
struct OperationDescription {
    let id: String
    let tag: String
    let summary: String
    let description: String
    /// The 200 in words, its media type and its schema; no schema for text that is not JSON.
    var answer = "The answer."
    var answerType = "application/json"
    var answerSchema: String?
    /// When a 202 comes with the same schema.
    var accepted: String?
    /// Statuses of our own problems, and when they come.
    var problems: [(status: String, meaning: String)] = []
}

extension Route {
    /// The variable segment of the template.
    var pathParameter: (name: String, meaning: String)? {
        switch self {
        case .similar: ("item_id", "The item, percent-encoded.")
        case .user: ("user_id", "The guest, percent-encoded.")
        case .model: ("name", "The model, as GET /models names it.")
        default: nil
        }
    }

    private static let badQuery = ("400", "A parameter is unknown, repeated, missing or out of its bounds.")
    private static let badBody = ("400", "The body is not JSON, or a member is unknown, missing, repeated or wrong.")
    private static let lengthRequired = ("411", "The request says nothing of a body.")
    private static let tooLarge = ("413", "The body is larger than the server accepts.")
    private static let wrongType = (
        "415", "The Content-Type is not the one wanted, or the Content-Encoding is not gzip."
    )
    private static let unknownUser = (
        "404", "No such model is served, or it does not know the user and strict asks for no fallback."
    )
    private static let unknownModel = ("404", "No model of this name is served.")
    private static let cannotExplain = (
        "409",
        "The model lacks what an explanation is made from, or the user's history does not give the vector that ranks."
    )
    private static let unready = ("503", "No model is loaded yet, or the server has too much to do.")

    /// The GET of this route; nil when there is none.
    var getDescription: OperationDescription? {
        switch self {
        case .recommend:
            OperationDescription(
                id: "recommend", tag: "Recommend", summary: "The best items for a user",
                description: """
                    Items by the user's own vector, best first. A user that the model does not know gets what is popular \
                    within the same filters, and fallback_reason says so. Filters act before the ranking: k items come \
                    back whenever k pass them.
                    """,
                answer: "Items, best first.", answerSchema: "Recommendation",
                problems: [Self.badQuery, Self.unknownUser, Self.cannotExplain, Self.unready])
        case .similar:
            OperationDescription(
                id: "similar", tag: "Recommend", summary: "Items similar to an item",
                description:
                    "The cosine-nearest items, within the same filters as /recommend, without the item itself.",
                answer: "Items, most similar first.", answerSchema: "Recommendation",
                problems: [
                    Self.badQuery, ("404", "No such model is served, or it does not hold the item."), Self.unready,
                ])
        case .popular:
            OperationDescription(
                id: "popular", tag: "Recommend", summary: "The most ordered items",
                description: "What was ordered most often, within the same filters as /recommend.",
                answer: "Items, most ordered first.", answerSchema: "Recommendation",
                problems: [Self.badQuery, Self.unknownModel, Self.unready])
        case .user:
            OperationDescription(
                id: "user", tag: "Model", summary: "What the model holds of a user",
                description: "Whether the model knows the user, and their orders, most ordered first. 200 both ways.",
                answer: "Known or not, and the history.", answerSchema: "User",
                problems: [("400", "The path or the query is not as wanted."), Self.unknownModel, Self.unready])
        case .modelInfo:
            OperationDescription(
                id: "modelInfo", tag: "Model", summary: "The live version's manifest",
                description:
                    "Shapes, training parameters, evaluation, digests and lineage, as the registry holds them.",
                answer: "manifest.json, byte for byte.", answerSchema: "Manifest",
                problems: [Self.badQuery, Self.unknownModel, Self.unready])
        case .models:
            OperationDescription(
                id: "models", tag: "Model", summary: "Every model and the state of its versions",
                description: "What is served, what was rejected and why, and what the registry held at the last look.",
                answer: "The models, the one that answers by default first.", answerSchema: "Models",
                problems: [Self.badQuery])
        case .model:
            OperationDescription(
                id: "model", tag: "Model", summary: "One model and the state of its versions",
                description: "As in GET /models.", answer: "The model.", answerSchema: "Model",
                problems: [("400", "The path or the query is not as wanted."), Self.unknownModel])
        case .livez:
            OperationDescription(
                id: "livez", tag: "Operate", summary: "Whether the process runs",
                description: "200 as long as it does, with a model or without.", answerSchema: "Health")
        case .readyz:
            OperationDescription(
                id: "readyz", tag: "Operate", summary: "Whether to send traffic",
                description: "200 when a model answers; 503 with the reason before that and from the start of a drain.",
                answerSchema: "Health", problems: [("503", "Loading or draining.")])
        case .metrics:
            OperationDescription(
                id: "metrics", tag: "Operate", summary: "Prometheus' metrics",
                description: "Text format 0.0.4.", answerType: "text/plain")
        case .openAPI:
            OperationDescription(
                id: "openAPI", tag: "Operate", summary: "This document", description: "OpenAPI 3.1.",
                answerSchema: "OpenAPI")
        case .docs:
            OperationDescription(
                id: "docs", tag: "Operate", summary: "A page to try requests from",
                description: "One page without outside assets.", answerType: "text/html")
        case .recommendBulk, .score, .adminReload, .adminItem, .adminItems, .adminDrain, .adminUndrain, .none: nil
        }
    }

    /// The POST of this route; nil when there is none.
    var postDescription: OperationDescription? {
        switch self {
        case .recommend:
            OperationDescription(
                id: "recommendWithBasket", tag: "Recommend", summary: "The best items for a user and a basket",
                description: """
                    The same as GET with the parameters as a JSON object, and a basket that is folded in: for guests without \
                    a history, and for what a guest is ordering now.
                    """,
                answer: "Items, best first.", answerSchema: "Recommendation",
                problems: [
                    Self.badBody, Self.unknownUser, Self.cannotExplain, Self.lengthRequired, Self.tooLarge,
                    Self.wrongType, Self.unready,
                ])
        case .recommendBulk:
            OperationDescription(
                id: "recommendBulk", tag: "Recommend", summary: "Recommendations for many users",
                description: """
                    One object of POST /recommend a line, one answer a line in the same order, streamed as it is read. A \
                    bad line gets a problem with its line number in its place.
                    """,
                answer: "One Recommendation or Problem a line.", answerType: "application/x-ndjson",
                problems: [
                    ("400", "The body is empty."), ("413", "The body or the number of lines is over the bound."),
                    Self.wrongType, Self.unready,
                ])
        case .score:
            OperationDescription(
                id: "score", tag: "Recommend", summary: "The scores of given items",
                description: """
                    What /recommend would score these items with, in the given order; null for an item that the model does \
                    not hold. For a user without a vector all are null and fallback_reason says why.
                    """,
                answer: "One score or null for each id.", answerSchema: "Scores",
                problems: [
                    Self.badBody, Self.unknownUser, Self.lengthRequired, Self.tooLarge, Self.wrongType, Self.unready,
                ])
        case .adminReload:
            OperationDescription(
                id: "reload", tag: "Operate", summary: "Look at the registry now, or serve a version",
                description: """
                    With a version: that one answers until the policy wants another than now, or until a reload without a \
                    version. With force: gates are passed over; verification never is. Without a body: every model is \
                    looked at now, and pins end.
                    """,
                answer: "The version was in memory and answers.", answerSchema: "Reload",
                accepted: "The follower does it; GET /models/{name} tells how it ended.",
                problems: [
                    Self.badBody, ("401", "The bearer token is missing or wrong."), Self.unknownModel, Self.tooLarge,
                    Self.wrongType, Self.unready,
                ])
        default: nil
        }
    }
}
