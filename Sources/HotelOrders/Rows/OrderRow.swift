/// What training needs of one order row that is a purchase.
struct OrderRow: Equatable {
    var orderSeq: Int64
    var hotelSeq: Int64
    var customerSeq: Int64
    /// KRW, above 0.
    var orderPrice: Int64
    /// Seconds since 1970 on the hotel's clock.
    var regDate: Int64

    enum Reading: Equatable {
        case purchase(OrderRow)
        case skipped(SkipReason)
        case rejected(RejectReason)
    }

    /// Reads a row's columns, contents left aside.
    ///
    /// Status comes before price, and both before the rest: what is no purchase is skipped, whatever else is wrong
    /// with it. Ids are whole numbers that are not negative.
    static func read(_ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader) -> Reading {
        func integer(_ column: OrderColumn) -> Int64? {
            guard let place = header[column] else { return nil }
            return FieldValues.integer(bytes, fields[place].range).value
        }
        guard let orderSeq = integer(.orderSeq), orderSeq >= 0 else { return .rejected(.badOrderSeq) }
        guard let statusPlace = header[.status], let regDatePlace = header[.regDate] else {
            preconditionFailure("BUG: a header without its required columns")
        }
        if let reason = OrderStatus.skipReason(bytes, fields[statusPlace].range) { return .skipped(reason) }
        guard let orderPrice = integer(.orderPrice) else { return .rejected(.badOrderPrice) }
        if orderPrice <= 0 { return .skipped(.notPaid) }
        guard let hotelSeq = integer(.hotelSeq), hotelSeq >= 0 else { return .rejected(.badHotelSeq) }
        guard let customerSeq = integer(.customerSeq), customerSeq >= 0 else { return .rejected(.badCustomerSeq) }
        guard let regDate = FieldValues.time(bytes, fields[regDatePlace].range) else { return .rejected(.badRegDate) }
        return .purchase(
            OrderRow(
                orderSeq: orderSeq, hotelSeq: hotelSeq, customerSeq: customerSeq, orderPrice: orderPrice,
                regDate: regDate))
    }
}

/// The states of an order. Only COMPLETE is a purchase; the others are counted by group.
enum OrderStatus {
    /// Nil for a purchase. The label never comes from the file.
    static func skipReason(_ bytes: Span<UInt8>, _ field: Range<Int>) -> SkipReason? {
        let range = FieldValues.trimmed(bytes, field)
        if FieldValues.equals(bytes, range, "COMPLETE") { return nil }
        for status in cancelled where FieldValues.equals(bytes, range, status) { return .statusCancelled }
        for status in refused where FieldValues.equals(bytes, range, status) { return .statusRefused }
        for status in open where FieldValues.equals(bytes, range, status) { return .statusOpen }
        return .statusOther
    }

    private static let cancelled: [StaticString] = ["CANCEL", "CANCELED", "CANCELLED"]
    private static let refused: [StaticString] = ["REFUSE", "REFUSED", "REJECT", "REJECTED"]
    private static let open: [StaticString] = [
        "ORDER", "ORDERED", "WAIT", "WAITING", "REQUEST", "REQUESTED", "CHECK", "CHECKED", "ACCEPT", "ACCEPTED",
        "PROGRESS",
        "DELIVERY",
    ]
}
