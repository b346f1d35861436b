import FactorModel
import ModelRegistry

/// Why going to a version is not going on, whatever its number; in words.
enum WayBack: String, Sendable {
    /// In this process, with these files and not by force.
    case wasLive = "it was live here before"
    /// An operator rolled the followed alias back to it, and no server refused it.
    case rolledBack = "the alias was rolled back to this one"
}

/// Holds one opened version against the gates, before anybody gets an answer from it.
///
/// Asking it for recommendations on the way is its warm-up: pages, codes and scratch are used as requests will use them.
struct GateCheck {
    let settings: GateSettings
    let candidate: ModelSnapshot
    let manifest: Manifest
    private let golden: GoldenQueries?
    let live: ServedModel?
    /// What a version answered that the alias named before; what the first version of a process is compared with, and one that is older
    /// than the live one and of which nobody knows that it was good.
    private let reference: GoldenAnswers?

    /// What there is to tell of a version that passed.
    struct Passed {
        /// Which gates had nothing to go by, in words.
        var notes: [String] = []
        /// nil when it was compared with none.
        var comparedWith: Int?
    }

    private let wayBack: WayBack?

    /// - Parameter reference: looked at only when there is no live version to compare with.
    init(
        _ settings: GateSettings, _ opened: OpenedVersion, live: ServedModel?, reference: GoldenAnswers? = nil,
        wayBack: WayBack? = nil
    ) {
        self.settings = settings
        candidate = opened.snapshot
        manifest = opened.manifest
        golden = opened.golden
        self.live = live
        self.reference = reference
        self.wayBack = wayBack
    }

    /// Asks every gate, the cheap ones first.
    func run() throws(GateRefusal) -> Passed {
        var passed = Passed()
        try checkMetrics()
        if let compared { try checkCatalogue(compared.snapshot) }
        if compared == nil, let reference { try checkItemCount(reference) }
        try checkGolden()
        let scratch = RecommendationScratch()
        try checkAnswers(scratch)
        if let compared {
            try judge(compare(with: compared, scratch), beside: compared.version, &passed)
        } else if let reference {
            try judge(compare(with: reference), beside: reference.version, &passed)
        } else if let live, live.version == manifest.version {
            passed.notes.append("not compared with what its files held before")
        } else if let live, let wayBack, live.version < manifest.version {
            passed.notes.append("not compared with version \(live.version): \(wayBack.rawValue)")
        } else if let live {
            passed.notes.append("not compared with version \(live.version), which is newer: this is a way back")
        }
        return passed
    }

    /// The live version, to compare with; not for a version older than that, nor for another way back. Going back is what an operator does
    /// when the live one is bad, and being unlike a bad one is no fault.
    private var compared: ServedModel? {
        guard let live, manifest.version > live.version, wayBack == nil else { return nil }
        return live
    }

    // MARK: The manifest

    private func checkMetrics() throws(GateRefusal) {
        for minimum in settings.metricMins {
            let name = minimum.name.rawValue
            guard let evaluation = manifest.evaluation else {
                throw GateRefusal(
                    gate: .metric, reason: "its manifest has no evaluation; wanted \(name) of at least \(minimum.value)"
                )
            }
            let value =
                switch minimum.name {
                case .recall: evaluation.als.recall
                case .ndcg: evaluation.als.ndcg
                case .map: evaluation.als.map
                case .coverage: evaluation.als.coverage
                }
            // Not `<`: a NaN reaches nothing.
            if !(value >= minimum.value) {
                throw GateRefusal(
                    gate: .metric, reason: "its manifest says \(name) is \(value); wanted at least \(minimum.value)")
            }
        }
    }

    // MARK: The catalogue

    private func checkCatalogue(_ live: ModelSnapshot) throws(GateRefusal) {
        guard live.itemCount > 0 else { return }
        var missing = 0
        for row in 0..<live.itemCount {
            let isThere = live.withItemID(ItemIndex(row)) { candidate.item(id: $0) != nil }
            if !isThere { missing += 1 }
        }
        let share = Double(missing) / Double(live.itemCount)
        if share > settings.shrinkMax {
            throw GateRefusal(
                gate: .catalogue,
                reason: """
                    it lacks \(missing) of the live version's \(live.itemCount) items, a share of \(short(share)); wanted at \
                    most \(settings.shrinkMax)
                    """)
        }
    }

    /// The least that is missing from a catalogue of which only the size is known.
    private func checkItemCount(_ reference: GoldenAnswers) throws(GateRefusal) {
        let missing = max(0, reference.itemCount - candidate.itemCount)
        let share = Double(missing) / Double(max(reference.itemCount, 1))
        if share > settings.shrinkMax {
            throw GateRefusal(
                gate: .catalogue,
                reason: """
                    it has \(candidate.itemCount) items and lacks at least \(missing) of version \(reference.version)'s \
                    \(reference.itemCount), a share of \(short(share)); wanted at most \(settings.shrinkMax)
                    """)
        }
    }

    // MARK: The answers themselves

    /// That the version answers here as it did where it was made.
    private func checkGolden() throws(GateRefusal) {
        guard let golden, let difference = candidate.disagreement(with: golden, count: goldenCount) else { return }
        throw GateRefusal(
            gate: .golden, reason: "it answers here otherwise than where it was made: \(difference)")
    }

    private func checkAnswers(_ scratch: RecommendationScratch) throws(GateRefusal) {
        let users = Self.spread(userCount, of: candidate.userCount)
        guard !users.isEmpty, candidate.itemCount > 0 else { return }
        var shown: Set<ItemIndex> = []
        var empty = 0
        for user in users {
            let items = try answer(for: user, scratch)
            if items.isEmpty { empty += 1 }
            shown.formUnion(items)
        }
        // Few users say nothing of the whole.
        guard users.count >= GateSettings.usersMin else { return }
        let emptyShare = Double(empty) / Double(users.count)
        if emptyShare > settings.emptyMax {
            throw GateRefusal(
                gate: .coverage,
                reason: """
                    \(empty) of \(users.count) sampled users get no item, a share of \(short(emptyShare)); wanted at most \
                    \(settings.emptyMax)
                    """)
        }
        let possible = min(candidate.itemCount, users.count * GateSettings.k)
        let coverage = Double(shown.count) / Double(possible)
        if coverage < settings.coverageMin {
            throw GateRefusal(
                gate: .coverage,
                reason: """
                    \(users.count) sampled users get \(shown.count) different items of \(possible) possible ones, a share of \
                    \(short(coverage)); wanted at least \(settings.coverageMin)
                    """)
        }
    }

    /// The top items for one user, after checking that they are an answer: no item twice, best first, and each with the very score
    /// that scoring it alone gives. That the codes which a ranking reads are those of the factors shows here.
    private func answer(for user: UserIndex, _ scratch: RecommendationScratch) throws(GateRefusal) -> [ItemIndex] {
        let outcome = candidate.recommend(RecommendationQuery(user: user, k: GateSettings.k), scratch: scratch)
        let items = (0..<scratch.count).map { scratch[$0].item }
        let scores = (0..<scratch.count).map { scratch[$0].score }
        func refuse(_ what: String) -> GateRefusal {
            GateRefusal(gate: .warmUp, reason: "the answer for the user in row \(user.row) \(what)")
        }
        if !scores.allSatisfy(\.isFinite) { throw refuse("has a score that is no finite number") }
        if Set(items).count != items.count { throw refuse("has an item twice") }
        for rank in items.indices.dropFirst()
        where scores[rank] > scores[rank - 1] || (scores[rank] == scores[rank - 1] && items[rank] < items[rank - 1]) {
            throw refuse("is not best first")
        }
        guard outcome.strategy == .als else { return items }
        var alone: [Float?] = []
        candidate.scores(of: user, items: items, into: &alone)
        if alone != scores { throw refuse("has other scores than scoring its items alone gives") }
        return items
    }

    // MARK: Beside the live version

    private func compare(with live: ServedModel, _ scratch: RecommendationScratch) -> Comparison {
        var comparison = Comparison()
        for user in sampledUsers(of: live) {
            let here = live.snapshot.withUserID(user) { candidate.user(id: $0) }
            guard let here else { continue }
            let before = Self.topItems(live.snapshot, user, scratch)?.map { entry in
                (item: live.snapshot.withItemID(entry.item) { candidate.item(id: $0) }, score: entry.score)
            }
            comparison.add(before, Self.topItems(candidate, here, scratch))
        }
        return comparison
    }

    /// With what a version answered where it was made: nothing of it but that is read.
    ///
    /// All in one pass over the items: a process that starts without a record has no codes to rank by yet.
    private func compare(with reference: GoldenAnswers) -> Comparison {
        let known = reference.golden.queries.compactMap { query in
            candidate.user(id: query.user).map { (user: $0, items: query.items) }
        }
        var comparison = Comparison()
        let queries = known.map { RecommendationQuery(user: $0.user, k: GateSettings.k) }
        candidate.recommend(many: queries, scratch: BulkScratch()) { place, outcome, ranked in
            guard outcome.strategy == .als else { return }
            let before = known[place].items.map { (item: candidate.item(id: $0.id), score: $0.score) }
            comparison.add(before, (0..<ranked.count).map { ranked[$0] })
        }
        return comparison
    }

    private func judge(
        _ comparison: Comparison, beside version: Int, _ passed: inout Passed
    ) throws(GateRefusal) {
        guard comparison.users >= GateSettings.usersMin else {
            passed.notes.append(
                """
                not compared with version \(version): \(comparison.users) sampled users are known to both; wanted at \
                least \(GateSettings.usersMin)
                """)
            return
        }
        if comparison.overlap < settings.overlapMin {
            throw GateRefusal(
                gate: .overlap,
                reason: """
                    overlap@\(GateSettings.k) with version \(version) is \(short(comparison.overlap)) over \
                    \(comparison.users) users; wanted at least \(settings.overlapMin)
                    """)
        }
        if comparison.scoreShift > settings.scoreShiftMax {
            throw GateRefusal(
                gate: .scoreShift,
                reason: """
                    the scores differ from those of version \(version) by a share of \(short(comparison.scoreShift)) \
                    over \(comparison.users) users; wanted at most \(settings.scoreShiftMax)
                    """)
        }
        passed.comparedWith = version
    }

    /// Users of the live version: those asked for last, those of its golden queries, and others spread over the model.
    private func sampledUsers(of live: ServedModel) -> [UserIndex] {
        let recent = live.recentUsers.users.prefix(userCount / 2)
        let golden = live.goldenUsers.prefix(userCount - recent.count)
        let left = userCount - recent.count - golden.count
        return Set(recent + golden + Self.spread(left, of: live.snapshot.userCount)).sorted()
    }

    /// Nil for a user that is not ranked by a vector of their own.
    private static func topItems(
        _ snapshot: ModelSnapshot, _ user: UserIndex, _ scratch: RecommendationScratch
    ) -> [(item: ItemIndex, score: Float)]? {
        let query = RecommendationQuery(user: user, k: GateSettings.k)
        guard snapshot.recommend(query, scratch: scratch).strategy == .als else { return nil }
        return (0..<scratch.count).map { scratch[$0] }
    }

    // MARK: Sampling

    /// Users to ask for. Before the first version answers there is no time for many: a ranking of a large catalogue without its
    /// codes takes milliseconds.
    private var userCount: Int {
        live != nil ? settings.users : max(2, min(settings.users, affordable - goldenCount))
    }

    /// Golden queries to ask: all, but before the first version answers as many as there is time for.
    private var goldenCount: Int {
        let count = golden?.queries.count ?? 0
        return live != nil ? count : min(count, max(2, affordable))
    }

    /// Rankings that there is time for before the first version answers.
    private var affordable: Int {
        let scores = candidate.hasCodes ? 4 * Self.firstLoadScores : Self.firstLoadScores
        return scores / max(candidate.itemCount * candidate.factorCount, 1)
    }

    /// Products that the warm-up of a first version may take: some 20 ms of float32; with codes, which take a quarter of the time at most, four
    /// times as many.
    private static let firstLoadScores = 100_000_000

    /// At most `count` rows, spread evenly: the same for the same model.
    static func spread(_ count: Int, of rows: Int) -> [UserIndex] {
        guard count > 0, rows > 0 else { return [] }
        let taken = min(count, rows)
        return (0..<taken).map { UserIndex($0 * rows / taken) }
    }

    private func short(_ value: Double) -> String {
        let thousandths = (value * 1000).rounded()
        return "\(thousandths / 1000)"
    }
}

/// The top items of two versions, user by user.
struct Comparison {
    private(set) var users = 0
    private var overlaps = 0.0
    private var difference = 0.0
    private var scale = 0.0

    /// - Parameters:
    ///   - live, candidate: nil for a user that has no vector there, who then says nothing. Items are rows of the candidate; nil is one
    ///     that it does not have.
    mutating func add(
        _ live: [(item: ItemIndex?, score: Float)]?, _ candidate: [(item: ItemIndex, score: Float)]?
    ) {
        guard let live, let candidate, !live.isEmpty else { return }
        users += 1
        let mine = Set(candidate.map(\.item))
        let shared = live.count { $0.item.map { mine.contains($0) } ?? false }
        overlaps += Double(shared) / Double(live.count)
        let liveMean = Self.meanScore(live.map(\.score))
        difference += abs(Self.meanScore(candidate.map(\.score)) - liveMean)
        scale += abs(liveMean)
    }

    /// Mean over the users; 1 of none.
    var overlap: Double { users == 0 ? 1 : overlaps / Double(users) }

    /// The mean difference as a share of the mean score; 0 when all scores are 0 in both.
    var scoreShift: Double { difference == 0 ? 0 : difference / max(scale, .leastNormalMagnitude) }

    private static func meanScore(_ scores: [Float]) -> Double {
        scores.isEmpty ? 0 : scores.reduce(0) { $0 + Double($1) } / Double(scores.count)
    }
}
