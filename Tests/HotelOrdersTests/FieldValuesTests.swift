import Foundation
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Field values") struct FieldValuesTests {
    private func integer(_ text: String) -> IntegerField {
        let bytes = Array(text.utf8)
        return FieldValues.integer(bytes.span, 0..<bytes.count)
    }

    private func time(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        return FieldValues.time(bytes.span, 0..<bytes.count)
    }

    @Test("whole numbers to the ends of Int64, and one past them")
    func integers() {
        #expect(integer("0") == .value(0))
        #expect(integer("  007\t") == .value(7))
        #expect(integer("-12") == .value(-12))
        #expect(integer("24000.0") == .value(24_000))
        #expect(integer("3.000") == .value(3))
        #expect(integer("9223372036854775807") == .value(.max))
        #expect(integer("9223372036854775808") == .unusable)
        #expect(integer("-9223372036854775808") == .value(.min))
        #expect(integer("-9223372036854775809") == .unusable)
        #expect(integer("99999999999999999999999") == .unusable)
    }

    @Test(
        "what is no whole number is unusable",
        arguments: ["+5", "-", "1,000", "1e3", "3.5", "3.", ".0", "0x10", "12a", "١", "--1"])
    func notIntegers(text: String) { #expect(integer(text) == .unusable) }

    @Test("nulls in every spelling", arguments: ["", "  ", "\\N", "NULL", "null", " Null "])
    func nulls(text: String) { #expect(integer(text) == .null) }

    @Test("times are seconds since 1970, as Foundation counts them")
    func times() throws {
        let formatter = ISO8601DateFormatter()
        for text in ["1970-01-01 00:00:00", "2024-02-29 23:59:59", "1999-12-31 12:00:01", "2100-03-01 00:00:00"] {
            let date = try #require(formatter.date(from: text.replacing(" ", with: "T") + "Z"))
            #expect(time(text) == Int64(date.timeIntervalSince1970))
        }
        #expect(time("2024-05-01T19:30:00") == time("2024-05-01 19:30:00"))
        #expect(time(" 2024-05-01 19:30:00.123456 ") == time("2024-05-01 19:30:00"))
    }

    @Test(
        "what is no time is nil",
        arguments: [
            "", "\\N", "0000-00-00 00:00:00", "2023-02-29 00:00:00", "2024-13-01 00:00:00", "2024-00-01 00:00:00",
            "2024-04-31 00:00:00", "2024-01-01 24:00:00", "2024-01-01 00:60:00", "2024-01-01 00:00:60", "2024-01-01",
            "2024-01-01 00:00", "2024/01/01 00:00:00", "2024-01-01 00:00:00Z", "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00.12x", "+024-01-01 00:00:00",
        ])
    func notTimes(text: String) { #expect(time(text) == nil) }

    @Test("days and dates are inverse over eight hundred years, one day apart")
    func calendar() {
        var expected = CivilTime.days(year: 1600, month: 1, day: 1)
        for year in Int64(1600)..<2400 {
            for month in Int64(1)...12 {
                for day in 1...CivilTime.dayCount(month: month, year: year) {
                    let days = CivilTime.days(year: year, month: month, day: day)
                    guard days == expected, CivilTime.date(days: days) == (year, month, day) else {
                        Issue.record("\(year)-\(month)-\(day)")
                        return
                    }
                    expected += 1
                }
            }
        }
        #expect(CivilTime.weekday(days: 0) == 3)
        #expect(CivilTime.weekday(days: -4) == 6)
    }

    @Test("a time is written as it is read")
    func timeText() {
        for text in ["2024-02-29 23:59:59", "1969-12-31 23:59:59", "1970-01-01 00:00:00", "0001-01-01 00:00:00"] {
            #expect(time(text).map { CivilTime.text(seconds: $0) } == text)
        }
    }

    @Test("any bytes are read without a trap", arguments: 1...20 as ClosedRange<UInt64>)
    func rubbish(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...30, using: &rng)).map { _ in
                Array("0123456789-: .TN\\\u{7F}".utf8).randomElement(using: &rng) ?? 0
            }
            _ = FieldValues.integer(bytes.span, 0..<bytes.count)
            if let seconds = FieldValues.time(bytes.span, 0..<bytes.count) {
                #expect(CivilTime.text(seconds: seconds).utf8.count == 19)
            }
        }
    }
}
