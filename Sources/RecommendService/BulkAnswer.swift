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
        loop.resume(
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

/// Lines that are ranked together, those of each version in one pass over its items. Kept by its loop and reused.
///
/// Lines of several versions, as an experiment or several models make them, are answered from one block: guests of the arms take turns, and
/// a block for each turn would be a pass over the items for every line or two.
struct BulkBlock: ~Copyable {
    /// One line: which query of which group it became, or why it became none.
    private enum Line {
        case query(group: Int, number: Int, userID: Range<Int>, explains: Bool, arm: ArmStatement)
        case problem(Problem)
    }

    /// The queries of one version, and once they are ranked their answers, which lie in the scratch.
    private struct Group {
        /// nil while nobody uses the group.
        var model: ServedModel?
        var queries: [RecommendationQuery] = []
        var answers: [(outcome: RecommendationOutcome, ranked: RecommendationScratch)] = []
        let scratch = BulkScratch()
    }

    private var firstLine = 1
    private var lines: [Line] = []
    /// Those in use come first.
    private var groups: [Group] = []
    /// That of the line which is being read.
    private var current = 0
    private var userIDs = ByteBuffer(capacity: 1024)
    private var itemsWanted = 0
    private var cost = 0

    /// Items of all answers together, so that a block of large answers stays some hundred kilobytes.
    private static let itemsMax = 1000
    /// Of all queries together (``ModelSnapshot/cost(of:isExplained:)``): some 2 ms, in which the loop answers nobody else.
    private static let costMax = 32_000_000
    /// Versions in a block; each takes the memory of a window of answers.
    static let versionsMax = 4

    init() {}

    mutating func begin(firstLine: Int) {
        self.firstLine = firstLine
        lines.removeAll(keepingCapacity: true)
        userIDs.removeAll()
        itemsWanted = 0
        cost = 0
        letGo()
    }

    /// Whether a query of `model` can be added: false when there are as many others in the block as may be.
    mutating func takes(_ model: ServedModel) -> Bool {
        if let place = groups.firstIndex(where: { $0.model === model || $0.model == nil }) {
            groups[place].model = model
            current = place
            return true
        }
        guard groups.count < Self.versionsMax else { return false }
        current = groups.count
        groups.append(Group(model: model))
        return true
    }

    var isFull: Bool {
        lines.count >= BulkScratch.windowCount || itemsWanted >= Self.itemsMax || cost >= Self.costMax
    }

    mutating func append(_ query: RecommendationQuery, userID: Span<UInt8>, explains: Bool, arm: ArmStatement) {
        let start = userIDs.count
        userIDs.append(userID)
        lines.append(
            .query(
                group: current, number: groups[current].queries.count, userID: start..<userIDs.count,
                explains: explains, arm: arm))
        groups[current].queries.append(query)
        itemsWanted += query.k
        cost += groups[current].model?.snapshot.cost(of: query, isExplained: explains) ?? 0
    }

    mutating func append(_ problem: Problem) { lines.append(.problem(problem)) }

    /// Ranks the queries and writes a line for each line, in order. Lets go of the versions.
    mutating func answer(loop: Int, requestID: [UInt8], into body: inout ByteBuffer) {
        for place in groups.indices { rank(place, loop: loop) }
        for (place, line) in lines.enumerated() {
            switch line {
            case .problem(let problem): problem.write(into: &body, requestID: requestID, line: firstLine + place)
            case .query(let group, let number, let userID, let explains, let arm):
                guard let model = groups[group].model else { preconditionFailure("BUG: a query of no version") }
                let (outcome, ranked) = groups[group].answers[number]
                userIDs.withBytes { ids in
                    writeRecommendation(
                        outcome, ranked, userID: ids.extracting(userID), explains: explains, model: model.name,
                        version: model.version, snapshot: model.snapshot, written: model.writtenItems, arm: arm,
                        requestID: requestID, into: &body)
                }
                model.metrics.count(outcome, ranked, loop: loop)
            }
        }
        letGo()
    }

    /// Ranks the queries of a group. A block has no more of them than a window, so their answers stay in the scratch until the next block.
    private mutating func rank(_ place: Int, loop: Int) {
        guard let model = groups[place].model, !groups[place].queries.isEmpty else { return }
        let clock = ContinuousClock()
        let began = clock.now
        let (queries, scratch) = (groups[place].queries, groups[place].scratch)
        model.snapshot.recommend(many: queries, scratch: scratch) { _, outcome, ranked in
            groups[place].answers.append((outcome, ranked))
        }
        let each = (clock.now - began) / .seconds(1) / Double(queries.count)
        for _ in queries { model.metrics.count(topKSeconds: each, loop: loop) }
    }

    private mutating func letGo() {
        for place in groups.indices {
            groups[place].model = nil
            groups[place].queries.removeAll(keepingCapacity: true)
            groups[place].answers.removeAll(keepingCapacity: true)
        }
    }
}
