import FactorModel
import HTTPMessages

/// The rest of one bulk answer: made piece by piece from the lines, by one plan from the first to the last, so that no model
/// changes its version in between.
final class BulkAnswer: BodyProducer {
    private let loop: LoopService
    private let plan: ServingPlan
    private let rules: ParameterRules
    private let requestID: [UInt8]
    private let lines: [UInt8]
    private var nextByte = 0
    private var lineNumber = 0
    private var answeredBytes = 0
    /// Taken along, for other requests are answered before the end.
    private let accessEntry: AccessEntry

    /// After so many bytes, or so long, the other connections get their turn.
    private static let pieceBytes = 32 * 1024
    private static let pieceTime = Duration.milliseconds(2)

    init(_ loop: LoopService, _ plan: ServingPlan, _ content: Span<UInt8>, requestID: [UInt8]) {
        self.loop = loop
        self.plan = plan
        self.requestID = requestID
        accessEntry = loop.accessEntry
        guard let rules = Route.recommendBulk.bodyRules else { preconditionFailure("BUG: a bulk route without rules") }
        self.rules = rules
        // SAFETY: the span's bytes are alive for the call, which copies them.
        lines = unsafe content.withUnsafeBufferPointer { unsafe Array($0) }
    }

    func producePiece(into body: inout ByteBuffer) -> Bool {
        let clock = ContinuousClock()
        let began = clock.now
        let before = body.count
        repeat {
            answerBlock(into: &body)
        } while nextByte < lines.count && body.count - before < Self.pieceBytes && clock.now - began < Self.pieceTime
        answeredBytes += body.count - before
        return nextByte < lines.count
    }

    func ended(wasWhole: Bool) {
        var entry = accessEntry
        // As in the head: the version that answers lines without a name.
        if let model = plan.standard.live { entry.model = (model.name, model.version) }
        entry.wasCut = !wasWhole
        loop.bulkAnswersUnderWay -= 1
        loop.streamEnded(
            requestBytes: lines.count, responseBytes: answeredBytes, requestID: requestID, entry: entry)
    }

    /// Reads as many lines as one pass over the items serves, ranks them together and writes their answers.
    private func answerBlock(into body: inout ByteBuffer) {
        let lines = lines
        let bytes = lines.span
        loop.bulkBlock.begin(firstLine: lineNumber + 1)
        while nextByte < lines.count, !loop.bulkBlock.isFull {
            var end = nextByte
            while end < lines.count, bytes[end] != 0x0A { end += 1 }
            if !loop.readLine(bytes.extracting(nextByte..<end), rules, plan, &loop.bulkBlock) { break }
            lineNumber += 1
            nextByte = end + 1
        }
        loop.bulkBlock.answer(loop: loop.loop, requestID: requestID, into: &body)
    }
}

/// Lines of one model that are ranked together. Kept by its loop and reused.
struct BulkBlock: ~Copyable {
    /// One line: which query it became, or why it became none.
    private enum Line {
        case query(number: Int, userID: Range<Int>, explains: Bool, arm: ArmStatement)
        case problem(Problem)
    }

    private var firstLine = 1
    /// Of the queries; nil before the first one, and between two blocks.
    private var model: ServedModel?
    private var lines: [Line] = []
    private var queries: [RecommendationQuery] = []
    private var userIDs = ByteBuffer(capacity: 1024)
    private var itemsWanted = 0
    private let scratch = BulkScratch()

    /// Items of all answers together, so that a block of large answers stays some hundred kilobytes.
    private static let itemsMax = 1000

    init() {}

    mutating func begin(firstLine: Int) {
        self.firstLine = firstLine
        lines.removeAll(keepingCapacity: true)
        queries.removeAll(keepingCapacity: true)
        userIDs.removeAll()
        itemsWanted = 0
        model = nil
    }

    /// Whether a query of `model` can be added; the first one decides.
    mutating func takes(_ model: ServedModel) -> Bool {
        if let first = self.model { return first === model }
        self.model = model
        return true
    }

    var isFull: Bool { lines.count >= BulkScratch.windowCount || itemsWanted >= Self.itemsMax }

    mutating func append(_ query: RecommendationQuery, userID: Span<UInt8>, explains: Bool, arm: ArmStatement) {
        let start = userIDs.count
        userIDs.append(userID)
        lines.append(.query(number: queries.count, userID: start..<userIDs.count, explains: explains, arm: arm))
        queries.append(query)
        itemsWanted += query.k
    }

    mutating func append(_ problem: Problem) { lines.append(.problem(problem)) }

    /// Ranks the queries and writes a line for each line, in order. Lets go of the model.
    mutating func answer(loop: Int, requestID: [UInt8], into body: inout ByteBuffer) {
        if let model = model.take() {
            answer(model, loop: loop, requestID: requestID, into: &body)
        } else {
            _ = writeProblems(from: 0, requestID, into: &body)
        }
    }

    private func answer(_ model: ServedModel, loop: Int, requestID: [UInt8], into body: inout ByteBuffer) {
        let clock = ContinuousClock()
        let began = clock.now
        var writing = Duration.zero
        var next = 0
        model.snapshot.recommend(many: queries, scratch: scratch) { number, outcome, ranked in
            let ranWriting = clock.now
            next = writeProblems(from: next, requestID, into: &body)
            guard case .query(number, let userID, let explains, let arm) = lines[next] else {
                preconditionFailure("BUG: answers out of order")
            }
            userIDs.withBytes { ids in
                writeRecommendation(
                    outcome, ranked, userID: ids.extracting(userID), explains: explains, model: model.name,
                    version: model.version, snapshot: model.snapshot,
                    written: model.writtenItems, arm: arm, requestID: requestID, into: &body)
            }
            model.metrics.count(outcome, ranked, loop: loop)
            next += 1
            writing += clock.now - ranWriting
        }
        _ = writeProblems(from: next, requestID, into: &body)
        if queries.isEmpty { return }
        let each = (clock.now - began - writing) / .seconds(1) / Double(queries.count)
        for _ in queries { model.metrics.count(topKSeconds: each, loop: loop) }
    }

    /// Writes the problems from a line on, up to the next line that has an answer. Returns that line's place.
    private func writeProblems(from place: Int, _ requestID: [UInt8], into body: inout ByteBuffer) -> Int {
        var place = place
        while place < lines.count, case .problem(let problem) = lines[place] {
            problem.write(into: &body, requestID: requestID, line: firstLine + place)
            place += 1
        }
        return place
    }
}
