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
    func beginBulk(_ content: Span<UInt8>, _ model: ServedModel) throws(Problem) -> BulkAnswer {
        guard bulkAnswersUnderWay < Self.bulkAnswersMax else { throw .busy(retryAfterSeconds: 1) }
        let lines = Self.lineCount(content)
        if lines == 0 { throw .badBody("The body is empty; wanted 1 to \(Self.bulkLinesMax) lines of JSON.") }
        if lines > Self.bulkLinesMax { throw .tooManyLines(max: Self.bulkLinesMax) }
        bulkAnswersUnderWay += 1
        return BulkAnswer(self, model, content, requestID: requestID)
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
    func readLine(_ line: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, _ block: inout BulkBlock) {
        do throws(Problem) {
            do {
                try document.parse(line)
            } catch {
                throw .badBody("The line is not JSON as wanted here: \(error).")
            }
            try parameters.read(document, rules, model.snapshot)
            try checkRecommend(model.snapshot)
            parameters.withUserID { block.append(parameters.query, userID: $0, explains: parameters.explain) }
        } catch {
            block.append(error)
        }
    }
}
