import FactorModel
package import HTTPMessages
package import HTTPServer
import PrometheusText

/// One event loop's handler and observer: called on that loop's thread only, so its scratch needs no lock.
package final class LoopService: RequestHandler, ServerObserver {
    let service: Service
    let loop: Int
    private let shard: MetricShard
    private let reader: PlanReader
    private var requestIDs = RequestIDSource()

    // Reused by every request of the loop: nothing is allocated once they have grown.
    let scratch = RecommendationScratch()
    var parameters = RecommendParameters()
    var queryItem = DecodedQueryItem()
    var document = JSONDocument()
    var scores: [Float?] = []
    var unavailable = UnavailableSlot.Reader()
    var armUser = ByteBuffer(capacity: 256)
    var samplers: [(shadow: Shadow, sampler: ShadowSampler)] = []
    /// Of the request being answered: what is said of experiments.
    var armStatement = ArmStatement.none
    var armCount: (ModelExperiments, Counter)?
    /// Of the request being answered: the model that was asked; let go of at its end.
    var chosen: ModelPlan?
    /// What the last ranking took.
    var rankSeconds = 0.0
    var lastOutcome = RecommendationOutcome(strategy: .popular)
    /// The id in the path of the request being answered, decoded.
    var pathID = ByteBuffer(capacity: 256)
    var modelName = ByteBuffer(capacity: 64)
    var bulkBlock = BulkBlock()
    var bulkAnswersUnderWay = 0
    /// What a GET is answered with, when that is streamed.
    var streamedBody: (any BodyProducer)?
    var body = ByteBuffer(capacity: 4096)
    /// Of the request being answered.
    private(set) var requestID: [UInt8] = []
    /// Of the request being answered: what the size metrics count is content, not heads.
    private var contentBytes = (request: 0, response: 0)
    /// nil without an access log.
    private let accessLines: AccessLines?
    /// Of the request being answered: what the access log will say of it. Not kept up without one.
    var accessEntry = AccessEntry()

    init(_ service: Service, loop: Int) {
        self.service = service
        self.loop = loop
        shard = service.requestMetrics.set.shard(loop)
        reader = service.models.reader(loop: loop)
        requestID.reserveCapacity(128)
        accessLines = service.accessLog?.lines(of: loop)
    }

    // MARK: RequestHandler

    package func respond(
        to head: borrowing RequestHead, bytes: Span<UInt8>, body content: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int {
        takeRequestID(head, bytes)
        beginEntry(context)
        takeTraceID(head, bytes)
        let path = bytes.extracting(head.path)
        var (route, segment) = Route.match(path)
        // Where it is not served, it does not exist: nothing tells that it does elsewhere.
        if route.isAdmin && service.admin == nil
            || !route.isServed(to: context.role, hasAdminListener: service.hasAdminListener)
        {
            (route, segment) = (.none, 0..<0)
        }
        let plan = reader.plan()
        // Who answers. Nothing of it is kept behind the request: an idle loop holds no version in memory.
        var answering: ServedModel?
        body.removeAll()
        armStatement = .none
        armCount = nil
        defer { chosen = nil }
        do throws(Problem) {
            // Without a query or with an empty one is the same to us.
            let query = bytes.extracting(head.query ?? 0..<0)
            if head.method == .options, equal(path, "*") {
                // About the server as a whole, a no-op that says what it knows: RFC 9110 section 9.3.7.
                response.begin(status: 204)
                response.header("Allow", "GET, HEAD, POST, OPTIONS" as StaticString)
            } else if route == .none {
                throw .unknownPath
            } else if route.isAdmin {
                switch try answerAdmin(route, head, bytes, content, path.extracting(segment), query, plan) {
                case .postponed(let answer):
                    response.postpone(answer)
                    return route.rawValue
                case .written(let status):
                    response.begin(status: status, contentType: "application/json")
                    response.header("Cache-Control", "no-store")
                }
            } else if !route.allows(head.method) {
                throw .methodNotAllowed(route)
            } else if head.method == .post {
                // RFC 9110 section 15.5.12: every POST here has a body, and this one says nothing of one.
                if !head.declaresBody { throw .lengthRequired }
                let contentType = head.header("content-type", in: bytes) ?? 0..<0
                try answerPost(
                    route, query, bytes.extracting(contentType), content, plan, &answering, &response)
            } else {
                let contentType = try answerGet(route, path.extracting(segment), query, plan, &answering)
                if let streamedBody {
                    self.streamedBody = nil
                    response.begin(status: 200, contentType: contentType, streaming: streamedBody)
                } else {
                    response.begin(status: 200, contentType: contentType)
                }
            }
            if let answering { writeVersion(of: answering, into: &response) }
            if case .arm(let label) = armStatement { _ = response.header("X-Experiment", label.header) }
        } catch {
            begin(error, route, &response)
            // That the model does not know a user or an item is an answer of the model.
            if error.isAnswerOfModel, let answering { writeVersion(of: answering, into: &response) }
        }
        end(&response)
        contentBytes = (content.count, body.count)
        return route.rawValue
    }

    /// Begins the answer that words a problem, and counts it.
    private func begin(_ problem: Problem, _ route: Route, _ response: inout Response) {
        body.removeAll()
        problem.write(into: &body, requestID: requestID)
        response.begin(status: problem.status, contentType: "application/problem+json")
        if case .unauthorized = problem { response.header("WWW-Authenticate", "Bearer") }
        if case .methodNotAllowed = problem { response.header("Allow", route.allowedMethods) }
        if let seconds = problem.retryAfterSeconds { response.header("Retry-After", seconds) }
        noteRefusal(RefusalReason(problem))
    }

    private func end(_ response: inout Response) {
        response.header("X-Request-ID", requestID.span)
        body.withBytes { response.append($0) }
    }

    /// Writes an operator's answer that was put off, after ``resume(requestBytes:requestID:entry:)``.
    func writeAdmin(into response: inout Response, _ write: () throws(Problem) -> Void) {
        body.removeAll()
        do throws(Problem) {
            try write()
            response.begin(status: 200, contentType: "application/json")
            response.header("Cache-Control", "no-store")
        } catch {
            begin(error, .adminItem, &response)
        }
        end(&response)
        contentBytes.response = body.count
    }

    package func isEssential(_ head: borrowing RequestHead, bytes: Span<UInt8>) -> Bool {
        Route.match(bytes.extracting(head.path)).0.isEssential
    }

    package func refuse(
        _ refusal: Refusal, head: RequestHead?, bytes: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int {
        beginEntry(context)
        if let head {
            takeRequestID(head, bytes)
            takeTraceID(head, bytes)
        } else {
            requestIDs.next(into: &requestID)
        }
        noteRefusal(RefusalReason(refusal))
        let problem = Problem.refused(status: refusal.status, detail: refusal.detail)
        body.removeAll()
        problem.write(into: &body, requestID: requestID)
        response.begin(status: problem.status, contentType: "application/problem+json")
        response.header("X-Request-ID", requestID.span)
        if let seconds = refusal.retryAfterSeconds { response.header("Retry-After", seconds) }
        if let codings = refusal.acceptEncoding { response.header("Accept-Encoding", codings) }
        body.withBytes { response.append($0) }
        contentBytes = (0, body.count)
        guard let head else { return refusalRoute }
        return Route.match(bytes.extracting(head.path)).0.rawValue
    }

    private func writeVersion(of model: ServedModel, into response: inout Response) {
        response.header("X-Model-Version", model.version)
        if accessLines != nil { accessEntry.model = (model.name, model.version) }
    }

    private func beginEntry(_ context: RequestContext) {
        if accessLines != nil { accessEntry = AccessEntry(context: context) }
    }

    private func takeTraceID(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        if accessLines != nil { accessEntry.traceID = TraceID(of: head, in: bytes) }
    }

    private func noteRefusal(_ reason: RefusalReason) {
        service.requestMetrics.refused(shard, reason)
        accessEntry.refusal = reason
    }

    /// Writes the body of a good answer and returns its content type.
    ///
    /// - Parameter answering: becomes the version that was asked, as soon as it is known.
    private func answerGet(
        _ route: Route, _ segment: Span<UInt8>, _ query: Span<UInt8>, _ plan: ServingPlan,
        _ answering: inout ServedModel?
    ) throws(Problem) -> StaticString {
        let rules = route.queryRules ?? ParameterRules(known: .none)
        if route.answersFromModel {
            let model = try chosenModel(plan, query: query)
            chosen = model
            answering = route == .recommend ? try assigned(model, query: query) : model.answering
        }
        switch (route, answering) {
        case (.recommend, let model?): return try writeRecommend(query, rules, model, into: &body)
        case (.similar, let model?): return try writeSimilar(to: segment, query, rules, model, into: &body)
        case (.popular, let model?): return try writePopular(query, rules, model, into: &body)
        case (.user, let model?): return try writeUser(segment, query, rules, model, into: &body)
        case (.modelInfo, let model?): return try writeModelInfo(query, rules, model, into: &body)
        case (.models, _): return try writeModels(query, rules, into: &body)
        case (.model, _): return try writeModelStatus(segment, query, rules, plan, into: &body)
        case (.livez, _): return writeLiveness(into: &body)
        case (.readyz, _): return try writeReadiness(plan, into: &body)
        case (.metrics, _): return writeMetrics(into: &body)
        case (.openAPI, _): return writeOpenAPI(into: &body)
        case (.docs, _): return writeDocs(into: &body)
        default: preconditionFailure("BUG: no GET of \(route)")
        }
    }

    /// Begins a good answer to a request with a body, and writes its own unless it is streamed.
    private func answerPost(
        _ route: Route, _ query: Span<UInt8>, _ contentType: Span<UInt8>, _ content: Span<UInt8>, _ plan: ServingPlan,
        _ answering: inout ServedModel?, _ response: inout Response
    ) throws(Problem) {
        guard let rules = route.bodyRules else { preconditionFailure("BUG: no POST of \(route)") }
        guard route.bodyType.matches(contentType) else {
            throw .unsupportedMediaType(wanted: route.bodyType.wanted)
        }
        guard query.isEmpty else { throw .unknownParameter(.queryOfPost, known: rules.known.list) }
        let answered: StaticString
        switch route {
        case .recommend: answered = try writeRecommend(object: content, rules, plan, &answering, into: &body)
        case .score: answered = try writeScore(object: content, rules, plan, &answering, into: &body)
        case .recommendBulk:
            let answer = try beginBulk(content, plan, &answering)
            response.begin(status: 200, contentType: "application/x-ndjson", streaming: answer)
            return
        default: preconditionFailure("BUG: no POST of \(route)")
        }
        response.begin(status: 200, contentType: answered)
    }

    /// An answer is over, or about to be, that other requests came between. What it counted and what it was stand where the observer, told
    /// next, looks for them.
    func resume(requestBytes: Int, responseBytes: Int = 0, requestID: [UInt8], entry: AccessEntry) {
        contentBytes = (requestBytes, responseBytes)
        self.requestID.removeAll(keepingCapacity: true)
        self.requestID.append(contentsOf: requestID)
        accessEntry = entry
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
        route: Int, method: HTTPMethod, status: Int, requestBytes: Int, responseBytes: Int, nanoseconds: UInt64
    ) {
        let route = Route(rawValue: route) ?? .none
        service.requestMetrics.ended(
            shard, route: route, method: method, status: status,
            requestBytes: contentBytes.request, responseBytes: contentBytes.response,
            seconds: Double(nanoseconds) * 1e-9)
        guard let accessLines else { return }
        accessEntry.method = method
        accessEntry.route = route
        accessEntry.status = status
        accessEntry.requestBytes = requestBytes
        accessEntry.responseBytes = responseBytes
        accessEntry.nanoseconds = nanoseconds
        accessLines.write(accessEntry, requestID: requestID)
    }

    package func connectionOpened() { service.requestMetrics.connectionOpened(shard) }
    package func connectionClosed(_ end: ConnectionEnd) { service.requestMetrics.connectionClosed(shard, end) }
    package func connectionActivityChanged(isActive: Bool) {
        service.requestMetrics.connectionActivityChanged(shard, isActive: isActive)
    }
    package func connectionRejected(_ reason: RejectionReason) { service.requestMetrics.rejected(shard, reason) }
    package func tlsHandshakeEnded(_ result: TLSHandshakeResult) {
        service.requestMetrics.handshakeEnded(shard, result)
    }
}
