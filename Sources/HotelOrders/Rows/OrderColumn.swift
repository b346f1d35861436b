/// The columns of a hotel_order export that this program looks at, in the export's usual order.
///
/// room_name and customer_name are left out on purpose: nothing here can ask for them.
enum OrderColumn: Int, CaseIterable {
    case orderSeq, hotelSeq, roomSeq, customerSeq, orderPrice, status, contents
    case regDate, checkDate, refuseDate, completeDate, roomBuildingSeq, roomFloorSeq
    case visitorCount, visitAdultCount, visitChildCount, visitBabyCount, checkIn, checkOut, checkOutExpected

    static let required: [OrderColumn] = [
        .orderSeq, .hotelSeq, .customerSeq, .orderPrice, .status, .contents, .regDate,
    ]

    var name: String {
        switch self {
        case .orderSeq: "order_seq"
        case .hotelSeq: "hotel_seq"
        case .roomSeq: "room_seq"
        case .customerSeq: "customer_seq"
        case .orderPrice: "order_price"
        case .status: "status"
        case .contents: "contents"
        case .regDate: "reg_date"
        case .checkDate: "check_date"
        case .refuseDate: "refuse_date"
        case .completeDate: "complete_date"
        case .roomBuildingSeq: "room_building_seq"
        case .roomFloorSeq: "room_floor_seq"
        case .visitorCount: "visitor_cnt"
        case .visitAdultCount: "visit_adult_cnt"
        case .visitChildCount: "visit_child_cnt"
        case .visitBabyCount: "visit_baby_cnt"
        case .checkIn: "check_in"
        case .checkOut: "check_out"
        case .checkOutExpected: "check_out_expected"
        }
    }
}

/// Where each known column stands in one file.
struct OrderHeader: Equatable {
    let columnCount: Int
    /// By `OrderColumn.rawValue`; nil when the file does not have the column.
    private let places: [Int?]

    subscript(column: OrderColumn) -> Int? { places[column.rawValue] }

    /// Reads the header record: names in any order, case and surrounding spaces ignored, unknown ones stepped over.
    ///
    /// An error names only the columns of the export that were found and counts the other fields: the first line may be a row
    /// after all, or, with lone carriage returns for line ends, hold rows, and rows name guests.
    init(
        _ bytes: Span<UInt8>, _ fields: [CSVField], fieldCount: Int, path: String
    ) throws(OrdersError) {
        guard fieldCount <= CSVRecordReader.fieldCountMax else {
            throw .tooManyColumns(path: path, found: fieldCount, limit: CSVRecordReader.fieldCountMax)
        }
        let names = fields.map { Self.name(bytes, $0) }
        var places = [Int?](repeating: nil, count: OrderColumn.allCases.count)
        for column in OrderColumn.allCases {
            let matches = names.indices.filter { names[$0] == column.name }
            if matches.count > 1 { throw .columnRepeated(path: path, name: column.name) }
            places[column.rawValue] = matches.first
        }
        if places.allSatisfy({ $0 == nil }) { throw .headerMissing(path: path, fieldCount: fieldCount) }
        let missing = OrderColumn.required.filter { places[$0.rawValue] == nil }.map(\.name)
        if !missing.isEmpty {
            var found = OrderColumn.allCases.filter { places[$0.rawValue] != nil }.map(\.name)
            let others = names.count - found.count
            if others > 0 { found.append("\(others) other \(others == 1 ? "field" : "fields")") }
            throw .columnsMissing(path: path, missing: missing, found: found)
        }
        self.places = places
        columnCount = fieldCount
    }

    /// The name as it is compared and shown: lower case, trimmed, at most 64 bytes, printable ASCII.
    private static func name(_ bytes: Span<UInt8>, _ field: CSVField) -> String {
        var text: [UInt8] = []
        CSVScanner.appendText(bytes, field, to: &text)
        while let last = text.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { text.removeLast() }
        let start = text.firstIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") } ?? text.count
        let shown = text[start...].prefix(64).map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte + 32
            case 0x21...0x7E: byte
            default: UInt8(ascii: "?")
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }
}
