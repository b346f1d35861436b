import Foundation
import RecommendService
import Testing

@Suite("The access log's page") struct AccessLogPageTests {
    /// The labels in the table of docs/access-log.md: in its first column, each in backticks.
    private func tableLabels() throws -> [String] {
        // Tests/RecommendServiceTests/AccessLog/ → the root.
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let page = try String(contentsOf: root.appending(path: "docs/access-log.md"), encoding: .utf8)
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let head = try #require(lines.firstIndex(of: "| `reason` of a refusal | status |"))
        var labels: [String] = []
        for line in lines[(head + 2)...].prefix(while: { $0.hasPrefix("|") }) {
            let cells = line.split(separator: "|")
            #expect(cells.count == 2)
            let words = (cells.first ?? "").split(separator: "`", omittingEmptySubsequences: false)
                .enumerated().filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
            labels += words.first == "malformed_" ? words.dropFirst().map { "malformed_" + $0 } : words
        }
        return labels
    }

    @Test("every reason of a refusal is in the table once, and no other")
    func reasons() throws {
        let labels = try tableLabels()
        #expect(labels.sorted() == RefusalReason.labels.sorted())
    }
}
