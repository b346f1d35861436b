/// A closed list of reasons that are counted and shown by a fixed label, never by text from a file.
package protocol CountedReason: CaseIterable, Equatable, Sendable, RawRepresentable<Int> {
    var label: String { get }
}

/// Why a good row is no purchase.
package enum SkipReason: Int, CountedReason {
    case duplicateOrder, statusCancelled, statusRefused, statusOpen, statusOther, notPaid

    package var label: String {
        switch self {
        case .duplicateOrder: "duplicate_order"
        case .statusCancelled: "status_cancelled"
        case .statusRefused: "status_refused"
        case .statusOpen: "status_open"
        case .statusOther: "status_other"
        case .notPaid: "not_paid"
        }
    }
}

/// Why a row, or one element of its contents, cannot be used.
package enum RejectReason: Int, CountedReason {
    case recordTooLong, unterminatedQuote, badQuoting, badFieldCount
    case badOrderSeq, badHotelSeq, badCustomerSeq, badOrderPrice, badRegDate
    case contentsEmpty, contentsNotUTF8, contentsNotJSON, contentsTooDeep, contentsTooManyItems, contentsWithoutItems
    case itemWithoutID, itemWithoutCount, badItemCount

    package var label: String {
        switch self {
        case .recordTooLong: "record_too_long"
        case .unterminatedQuote: "unterminated_quote"
        case .badQuoting: "bad_quoting"
        case .badFieldCount: "bad_field_count"
        case .badOrderSeq: "bad_order_seq"
        case .badHotelSeq: "bad_hotel_seq"
        case .badCustomerSeq: "bad_customer_seq"
        case .badOrderPrice: "bad_order_price"
        case .badRegDate: "bad_reg_date"
        case .contentsEmpty: "contents_empty"
        case .contentsNotUTF8: "contents_not_utf8"
        case .contentsNotJSON: "contents_not_json"
        case .contentsTooDeep: "contents_too_deep"
        case .contentsTooManyItems: "contents_too_many_items"
        case .contentsWithoutItems: "contents_without_items"
        case .itemWithoutID: "item_without_id"
        case .itemWithoutCount: "item_without_count"
        case .badItemCount: "bad_item_count"
        }
    }
}

/// How often each reason came up.
package struct ReasonCounts<Reason: CountedReason>: Equatable, Sendable {
    private var counts = [Int](repeating: 0, count: Reason.allCases.count)

    package init() {}

    package internal(set) subscript(reason: Reason) -> Int {
        get { counts[reason.rawValue] }
        set { counts[reason.rawValue] = newValue }
    }

    package var total: Int { counts.reduce(0, +) }

    /// The reasons that came up, in the order they are declared.
    package var nonZero: [(reason: Reason, count: Int)] {
        Reason.allCases.compactMap { self[$0] == 0 ? nil : ($0, self[$0]) }
    }

    /// Label to count of the reasons that came up.
    package var byLabel: [String: Int] {
        Dictionary(uniqueKeysWithValues: nonZero.map { ($0.reason.label, $0.count) })
    }
}
