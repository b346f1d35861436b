/// One element of a row's contents, as it was written: nothing is filled in.
struct ContentsElement: Equatable {
    var itemSeq: IntegerField = .null
    var count: IntegerField = .null
    /// Where the cleaned name lies among the parser's names; empty when there is none.
    var name: Range<Int> = 0..<0
    var departmentSeq: IntegerField = .null
    var price: IntegerField = .null
    var waitingPeriod: IntegerField = .null
    var delayPeriod: IntegerField = .null
    var freeCount: IntegerField = .null
    var couponSeq: IntegerField = .null
    var resultPrice: IntegerField = .null
    var completePeriod: IntegerField = .null

    /// More pieces of one item than this in one line is a typing error, not an order.
    static let countMax: Int64 = 10_000

    /// Why the element is no order line; nil when it is one.
    var problem: RejectReason? {
        guard let itemSeq = itemSeq.value, itemSeq >= 0 else { return .itemWithoutID }
        switch count {
        case .null: return .itemWithoutCount
        case .value(let count) where (1...Self.countMax).contains(count): return nil
        default: return .badItemCount
        }
    }
}

/// Why contents cannot be read.
enum ContentsProblem: Error, Equatable {
    case empty, notUTF8, notJSON, tooDeep, tooManyItems

    var reason: RejectReason {
        switch self {
        case .empty: .contentsEmpty
        case .notUTF8: .contentsNotUTF8
        case .notJSON: .contentsNotJSON
        case .tooDeep: .contentsTooDeep
        case .tooManyItems: .contentsTooManyItems
        }
    }
}
