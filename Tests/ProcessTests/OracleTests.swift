import Foundation
import TestSupport
import Testing

/// What the built binary writes and answers, checked by public Python libraries instead of our own code.
@Suite("Beside Python's libraries") struct OracleTests {
    let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    private struct Dump: Decodable {
        let userIDs: [String]
        let itemIDs: [String]
        let checks: [String: Bool]
        let passed: Bool

        enum CodingKeys: String, CodingKey {
            case userIDs = "user_ids"
            case itemIDs = "item_ids"
            case checks, passed
        }
    }

    private struct Ranking: Decodable {
        struct User: Decodable {
            let items: [String]
            let scores: [Float]
            let nearTies: [[Int]]

            enum CodingKeys: String, CodingKey {
                case items, scores
                case nearTies = "near_ties"
            }
        }

        let users: [String: User]
    }

    @Test("the library safetensors opens a published model and finds everything sound") func safetensors() throws {
        let run = try BuiltBinary.oracle("safetensors_dump.py", [made.modelFile])
        try #require(run.exitCode == 0, "\(run.errors)")
        let dump = try JSONDecoder().decode(Dump.self, from: Data(run.output.utf8))
        #expect(dump.passed, "\(dump.checks.filter { !$0.value }.keys)")
        #expect(dump.checks["every item has a place among the codes"] == true, "the file of codes was looked at")
        #expect(dump.userIDs.contains(made.guest))
        #expect(dump.itemIDs.count == Set(dump.itemIDs).count)
    }

    @Test(
        "answers are those of a float32 brute force in NumPy: ids, order, scores to 1e-5",
        arguments: [
            (query: "k=10", options: ["--k", "10"]),
            (query: "k=1000", options: ["--k", "1000"]),
            (query: "k=20&hotel_id=HOTEL", options: ["--k", "20", "--hotel", "HOTEL"]),
            (query: "k=20&exclude_seen=true", options: ["--k", "20", "--exclude-seen"]),
            (
                query: "k=7&exclude_seen=true&hotel_id=HOTEL",
                options: ["--k", "7", "--exclude-seen", "--hotel", "HOTEL"]
            ),
        ])
    func bruteForce(query: String, options: [String]) throws {
        let options = options.map { $0 == "HOTEL" ? made.hotel : $0 }
        let query = query.replacing("HOTEL", with: made.hotel)
        let run = try BuiltBinary.oracle("bruteforce_topk.py", [made.modelFile, "--users", "all"] + options)
        try #require(run.exitCode == 0, "\(run.errors)")
        let oracle = try JSONDecoder().decode(Ranking.self, from: Data(run.output.utf8))
        try #require(oracle.users.count > 100)
        let server = try RunningServer(made.options + ["--threads", "1"])
        let connection = try LoopbackConnection(port: server.port)
        for (user, expected) in oracle.users.sorted(by: { $0.key < $1.key }).prefix(150) {
            let answer = try RecommendationAnswer(try connection.get("/recommend?user_id=\(user)&\(query)").text)
            guard answer.strategy == "als" else { continue }
            // Ranks whose scores differ by less than 1e-6 may swap: NumPy sums in another order than we do.
            if expected.nearTies.isEmpty { #expect(answer.items.map(\.itemID) == expected.items, "user \(user)") }
            #expect(Set(answer.items.map(\.itemID)).count == expected.items.count, "user \(user)")
            // Of a score near zero only the rounding of its large terms is left, so small ones are held to the best's scale.
            let scale = abs(expected.scores.first ?? 0)
            for (item, score) in zip(answer.items, expected.scores) {
                #expect(
                    abs(item.score - score) <= 1e-5 * max(abs(score), scale / 20), "user \(user), item \(item.itemID)")
            }
        }
    }
}
