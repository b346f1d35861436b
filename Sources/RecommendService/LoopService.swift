import FactorModel
package import HTTPMessages
package import HTTPServer
import PrometheusText

/// One event loop's handler and observer: called on that loop's thread only, so its scratch needs no lock.
package final class LoopService: RequestHandler, ServerObserver {
    let service: Service
    let loop: Int
    private let shard: MetricShard
    private var reader: ModelSlot.Reader
    private var requestIDs = RequestIDSource()

    // Reused by every request of the loop: nothing is allocated once they have grown.
    let scratch = RecommendationScratch()
    var parameters = RecommendParameters()
    private var body = ByteBuffer(capacity: 4096)
    private var requestID: [UInt8] = []
    /// Of the request being answered: what the size metrics count is content, not heads.
    private var contentBytes = (request: 0, response: 0)

    init(_ service: Service, loop: Int) {
        self.service = service
        self.loop = loop
        shard = service.requestMetrics.set.shard(loop)
        reader = ModelSlot.Reader(service.slot)
        requestID.reserveCapacity(128)
    }

    // MARK: RequestHandler

    package func respond(
        to head: borrowing RequestHead, bytes: Span<UInt8>, body content: Span<UInt8>, into response: inout Response
    ) -> Int {
        takeRequestID(head, bytes)
        let route = Route(path: bytes.extracting(head.path))
        let model = reader.model()
        body.removeAll()
        do throws(Problem) {
            // Without a query or with an empty one is the same to us.
            let query = bytes.extracting(head.query ?? 0..<0)
            let contentType = try answer(route, head.method, query, model)
            response.begin(status: 200, contentType: contentType)
            if let model, route.answersFromModel { response.header("X-Model-Version", model.version) }
        } catch {
            error.write(into: &body, requestID: requestID)
            response.begin(status: error.status, contentType: "application/problem+json")
            if error == .methodNotAllowed { response.header("Allow", route.allowedMethods) }
            // That the model does not know a user is an answer of the model.
            if error == .unknownUser, let model { response.header("X-Model-Version", model.version) }
        }
        response.header("X-Request-ID", requestID.span)
        body.withBytes { response.append($0) }
        contentBytes = (content.count, body.count)
        return route.rawValue
    }

    package func refuse(_ refusal: Refusal, into response: inout Response) {
        requestIDs.next(into: &requestID)
        let problem = Problem.refused(status: refusal.status, detail: refusal.detail)
        body.removeAll()
        problem.write(into: &body, requestID: requestID)
        response.begin(status: problem.status, contentType: "application/problem+json")
        response.header("X-Request-ID", requestID.span)
        if let seconds = refusal.retryAfterSeconds { response.header("Retry-After", seconds) }
        body.withBytes { response.append($0) }
        contentBytes = (0, body.count)
    }

    /// Writes the body of a good answer and returns its content type.
    private func answer(
        _ route: Route, _ method: HTTPMethod, _ query: Span<UInt8>, _ model: ServedModel?
    ) throws(Problem) -> StaticString {
        if route == .none { throw .unknownPath }
        if !route.allows(method) { throw .methodNotAllowed }
        switch route {
        case .livez: return writeLiveness(into: &body)
        case .readyz: return try writeReadiness(model, into: &body)
        case .metrics: return writeMetrics(into: &body)
        case .modelInfo: return try writeModelInfo(loaded(model), into: &body)
        case .recommend: return try writeRecommend(query, loaded(model), requestID: requestID, into: &body)
        case .popular: return try writePopular(query, loaded(model), requestID: requestID, into: &body)
        case .none: throw .unknownPath
        }
    }

    private func loaded(_ model: ServedModel?) throws(Problem) -> ServedModel {
        guard let model else { throw .notReady("No model is loaded yet.") }
        return model
    }

    private func takeRequestID(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        if let range = head.header("x-request-id", in: bytes), isRequestID(bytes.extracting(range)) {
            requestID.removeAll(keepingCapacity: true)
            for index in range { requestID.append(bytes[index]) }
        } else {
            requestIDs.next(into: &requestID)
        }
    }

    // MARK: ServerObserver

    package func requestBegan() { service.requestMetrics.began(shard) }

    package func requestEnded(
        route: Int, method: HTTPMethod, status: Int, requestBytes _: Int, responseBytes _: Int, nanoseconds: UInt64
    ) {
        service.requestMetrics.ended(
            shard, route: Route(rawValue: route) ?? .none, method: method, status: status,
            requestBytes: contentBytes.request, responseBytes: contentBytes.response,
            seconds: Double(nanoseconds) * 1e-9)
    }

    package func connectionOpened() { service.requestMetrics.connectionOpened(shard) }
    package func connectionClosed() { service.requestMetrics.connectionClosed(shard) }
    package func connectionRejected(_ reason: RejectionReason) { service.requestMetrics.rejected(shard, reason) }
}
