import VectorKernels

/// Working memory for recommendations, and the result of the last one. One per thread, reused: once it has grown to the
/// largest request, nothing is allocated.
@safe
package final class RecommendationScratch {
    /// Scores of one block of rows: small enough to stay in the first-level cache between scoring and ranking.
    static let blockRows = 1024
    /// Fewer chosen rows than this are gathered rather than searched for runs.
    static let gatherRows = 64

    var best = TopK()
    /// [blockRows], initialized, freed in deinit. Not an array: it would be asked for uniqueness at every block.
    private let scores: UnsafeMutablePointer<Float>
    /// [blockRows], likewise: rows of a block that pass the conditions on attributes.
    private let passing: UnsafeMutablePointer<UInt32>
    /// Ranks to be found: those skipped and those returned.
    private(set) var wanted = 0
    private var skipped = 0

    /// The rows to leave out, ascending.
    var excluded: [UInt32] = []
    /// The first of them that a bulk scan has not passed yet.
    var nextExcluded = 0

    /// The vector of the last answer when it was made for it, [factorCount].
    var vector: [Float] = []
    /// Whose vector made the last answer.
    private(set) var subject = AnswerSubject.none
    /// Counts answers, so that the solver can say whose equations it holds.
    private var answerNumber = 0
    let shared: SharedScratch

    package convenience init() { self.init(sharing: SharedScratch()) }

    init(sharing shared: SharedScratch) {
        self.shared = shared
        // SAFETY: allocated here, initialized at once.
        unsafe scores = UnsafeMutablePointer.allocate(capacity: Self.blockRows)
        unsafe scores.initialize(repeating: 0, count: Self.blockRows)
        unsafe passing = UnsafeMutablePointer.allocate(capacity: Self.blockRows)
        unsafe passing.initialize(repeating: 0, count: Self.blockRows)
    }

    deinit {
        // SAFETY: allocated in init; every span of them was lent to a closure that has returned.
        unsafe scores.deallocate()
        unsafe passing.deallocate()
    }

    /// Items of the last answer, after the skipped ranks.
    package var count: Int { max(0, best.count - skipped) }

    /// The item at `rank`, from 0, best first.
    package subscript(rank: Int) -> (item: ItemIndex, score: Float) {
        precondition(rank >= 0 && rank < count, "BUG: rank \(rank) of \(count)")
        let entry = best[skipped + rank]
        return (ItemIndex(Int(entry.row)), entry.score)
    }

    /// Calls with each item of the last answer, best first.
    ///
    /// One access to this object for all of them, where the subscript takes one for each: an answer is read two or three times.
    package func forEachItem(_ body: (_ rank: Int, _ item: ItemIndex, _ score: Float) -> Void) {
        let rows = best.rows
        for place in min(skipped, rows.count)..<rows.count {
            body(place - skipped, ItemIndex(Int(rows[place].row)), rows[place].score)
        }
    }

    /// Forgets the last answer.
    ///
    /// - Returns: whether there is anything to look for.
    func begin(_ query: RecommendationQuery, itemCount: Int) -> Bool {
        precondition(query.k >= 0 && query.offset >= 0, "BUG: a negative k or offset")
        let (sum, overflow) = query.k.addingReportingOverflow(query.offset)
        // No more ranks than items: a k of millions costs no memory that it cannot fill.
        let isEmpty = query.k == 0 || query.offset >= itemCount
        wanted = isEmpty ? 0 : min(overflow ? .max : sum, itemCount)
        skipped = query.offset
        best.reset(k: wanted)
        return !isEmpty
    }

    /// Notes whose vector makes the answer that comes now.
    func setSubject(_ subject: AnswerSubject) {
        self.subject = subject
        answerNumber += 1
    }

    /// Which answer of which scratch.
    var equationsKey: EquationsKey { EquationsKey(scratch: ObjectIdentifier(self), answerNumber: answerNumber) }

    // MARK: One block

    /// Lends the first `count` scores of the block.
    func withScores(_ count: Int, _ body: (inout MutableSpan<Float>) -> Void) {
        precondition(count >= 0 && count <= Self.blockRows, "BUG: \(count) scores in a block of \(Self.blockRows)")
        // SAFETY: a prefix of the block, lent for the call; nothing else reads or writes it meanwhile.
        var prefix = unsafe UnsafeMutableBufferPointer(start: scores, count: count).mutableSpan
        body(&prefix)
    }

    /// Offers the first `count` scores as those of rows `firstRow`, `firstRow + 1`, …
    func offerScores(firstRow: Int, count: Int) {
        withScores(count) { best.offer(firstRow: firstRow, scores: $0.span) }
    }

    /// Offers the first scores as those of `rows`.
    func offerScores(rows: Span<UInt32>) {
        withScores(rows.count) { best.offer(rows: rows, scores: $0.span) }
    }

    /// Lends the block of passing rows, to be written.
    func withPassing<R>(_ body: (inout MutableSpan<UInt32>) -> R) -> R {
        // SAFETY: the whole block, lent for the call; nothing else reads or writes it meanwhile.
        var block = unsafe UnsafeMutableBufferPointer(start: passing, count: Self.blockRows).mutableSpan
        return body(&block)
    }

    /// Lends the first `count` passing rows, to be read.
    func withPassing(_ count: Int, _ body: (Span<UInt32>) -> Void) {
        precondition(count >= 0 && count <= Self.blockRows, "BUG: \(count) rows in a block of \(Self.blockRows)")
        // SAFETY: a prefix of the block, lent for the call; nothing writes it meanwhile.
        body(unsafe UnsafeBufferPointer(start: passing, count: count).span)
    }
}

/// What an answer uses for moments only, so that all scratches of a thread may share it.
final class SharedScratch {
    /// What turns lists of rows into ascending ones; empty between uses.
    var marks = RowMarks()
    /// Rows of the items that several hotels sell, ascending.
    var sold: [UInt32] = []
    /// The allowed rows, ascending.
    var allowed: [UInt32] = []
    /// Rows of the hotels of a filter, ascending, each once.
    var hotels: [UInt32] = []
    /// [departments], whether each may serve.
    var departments: [Bool] = []
    let solver = FoldInSolver()
    /// For rankings by codes; a quarter of a megabyte, made by the first of them.
    lazy var codes = TopKScratch()
    /// Places among the codes that a ranking leaves out; empty between uses.
    var excludedPlaces = PlaceSet(placeCount: 0)
    var choiceRoom = ChoiceRoom()
}

/// What made an answer: what there is to explain.
enum AnswerSubject: Equatable {
    /// Nothing personal.
    case none
    /// The vector of a user of this snapshot, or one folded in from their history and a basket.
    case vector(user: UserIndex?, basket: [BasketItem], of: ObjectIdentifier)
}

/// Names an answer whose equations a solver holds.
struct EquationsKey: Equatable {
    let scratch: ObjectIdentifier
    let answerNumber: Int
}
