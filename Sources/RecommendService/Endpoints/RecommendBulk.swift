import FactorModel
import HTTPMessages

extension LoopService {
    /// Lines of one bulk request.
    static let bulkLinesMax = 10_000
    /// Bulk answers that one loop has under way: each holds its request's body until its client has read the answer.
    static let bulkAnswersMax = 64

    /// `POST /recommend/bulk`: one request object a line, one answer a line in the same order, made as the client reads.
    ///
    /// A bad line gets a problem in its place, with its number, and the others their answers.
    ///
    /// Lines may name different models; the whole answer comes from one plan. What stands in the head is the version that
    /// answers lines without a name.
    func beginBulk(
        _ content: Span<UInt8>, _ plan: ServingPlan, _ answering: inout ServedModel?
    ) throws(Problem) -> BulkAnswer {
        answering = plan.standard.live
        if plan.models.allSatisfy({ $0.live == nil }) {
            throw .notReady(service.models.unreadiness(of: plan.standard.name))
        }
        guard bulkAnswersUnderWay < Self.bulkAnswersMax else { throw .busy(retryAfterSeconds: 1) }
        let lines = Self.lineCount(content)
        if lines == 0 { throw .badBody("The body is empty; wanted 1 to \(Self.bulkLinesMax) lines of JSON.") }
        if lines > Self.bulkLinesMax { throw .tooManyLines(max: Self.bulkLinesMax) }
        bulkAnswersUnderWay += 1
        return BulkAnswer(self, plan, content, requestID: requestID)
    }

    /// Lines, the last with or without its line feed.
    private static func lineCount(_ content: Span<UInt8>) -> Int {
        var count = 0
        for index in content.indices where content[index] == 0x0A { count += 1 }
        if !content.isEmpty, content[content.count - 1] != 0x0A { count += 1 }
        return count
    }

    // MARK: One line

    /// Reads a line into a query of the block, or a problem in its place.
    ///
    /// - Returns: false when the line is of a version for which the block has no place left: it belongs into the next.
    func readLine(
        _ line: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan, _ block: inout BulkBlock
    ) -> Bool {
        do throws(Problem) {
            do {
                try document.parse(line)
            } catch {
                throw .badBody("The line is not JSON as wanted here: \(error).")
            }
            armStatement = .none
            armCount = nil
            let model = assigned(try chosenModel(plan, document), document)
            guard block.takes(model) else { return false }
            try parameters.read(document, rules, model.snapshot)
            try checkRecommend(model.snapshot)
            countArm()
            denyUnavailable(model)
            parameters.withUserID {
                block.append(parameters.query, userID: $0, explains: parameters.explain, arm: armStatement)
            }
        } catch {
            block.append(error)
        }
        return true
    }
}
