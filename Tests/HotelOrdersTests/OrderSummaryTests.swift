import Testing

@testable import HotelOrders

@Suite("Order summary") struct OrderSummaryTests {
    @Test("the table, whole")
    func table() {
        var summary = OrderSummary()
        summary.files = 2
        summary.rows = 12_345
        summary.orders = 9000
        summary.orderLines = 20_000
        summary.skipped[.notPaid] = 300
        summary.skipped[.statusOther] = 5
        summary.rejected[.contentsNotJSON] = 40
        summary.rejectedLines[.badItemCount] = 1
        summary.users = 800
        summary.firstOrderSeconds = 0
        summary.lastOrderSeconds = 86_399
        #expect(
            summary.description
                == """
                files                                          2
                rows                                       12345
                orders kept                                 9000
                order lines                                20000
                rows skipped                                 305
                  status_other                                 5
                  not_paid                                   300
                rows rejected                                 40
                  contents_not_json                           40
                lines rejected in kept rows                    1
                  bad_item_count                               1
                guests                                       800
                items                                          0
                hotels                                         0
                interactions                                   0
                last orders held out                           0
                first order                  1970-01-01 00:00:00
                last order                   1970-01-01 23:59:59
                """)
        #expect(summary.commonestReject == .contentsNotJSON)
        // What only training counts is left out where it was not counted.
        #expect(OrderSummary().description.hasSuffix("rows rejected  0"))
    }

    @Test("labels are distinct and fit for a metric or a column")
    func labels() {
        let labels = RejectReason.allCases.map(\.label) + SkipReason.allCases.map(\.label)
        #expect(Set(labels).count == labels.count)
        for label in labels {
            #expect(label.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) || $0 == 0x38 })
        }
    }

    @Test("the commonest reason is the first declared of equals, and none when there is none")
    func commonest() {
        var summary = OrderSummary()
        #expect(summary.commonestReject == nil)
        summary.rejected[.badItemCount] = 3
        summary.rejected[.badRegDate] = 3
        #expect(summary.commonestReject == .badRegDate)
    }

    @Test("errors map to the exit statuses of the contract")
    func kinds() {
        #expect(OrdersError.noInput.kind == .usage)
        #expect(OrdersError.fileMissing(path: "").kind == .inputMissing)
        #expect(OrdersError.gzipCorrupt(path: "", detail: "").kind == .badData)
        #expect(OrdersError.unwritable(path: "", operation: "", code: 1).kind == .io)
        #expect(OrdersError.outputClosed.kind == .io)
        #expect(
            "\(OrdersError.unreadable(path: "x.csv", operation: "open", code: 13))"
                == "x.csv: cannot open: Permission denied")
    }
}
