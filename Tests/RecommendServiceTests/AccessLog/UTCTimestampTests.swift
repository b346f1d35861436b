import Glibc
import HTTPMessages
import RecommendService
import TestSupport
import Testing

@Suite("RFC 3339 times") struct UTCTimestampTests {
    private func write(_ seconds: Int64, _ nanoseconds: Int = 0) -> String {
        var timestamp = UTCTimestamp()
        var buffer = ByteBuffer(capacity: 32)
        timestamp.append(seconds: seconds, nanoseconds: nanoseconds, to: &buffer)
        return text(buffer)
    }

    @Test("days at the edges of the calendar")
    func examples() {
        #expect(write(0) == "1970-01-01T00:00:00.000Z")
        #expect(write(-1, 999_999_999) == "1969-12-31T23:59:59.999Z")
        #expect(write(951_782_400) == "2000-02-29T00:00:00.000Z")
        #expect(write(4_107_542_400) == "2100-03-01T00:00:00.000Z")
        #expect(write(253_402_300_799, 42_500_000) == "9999-12-31T23:59:59.042Z")
    }

    @Test("as the C library has it", arguments: [1, 2] as [UInt64])
    func random(seed: UInt64) {
        var numbers = SplitMix64(seed: seed)
        var timestamp = UTCTimestamp()
        for _ in 0..<2000 {
            var seconds = Int.random(in: -62_135_596_800...253_402_300_799, using: &numbers)
            var parts = unsafe tm()
            // SAFETY: both values live for the call, and no pointer of the result is looked at.
            unsafe gmtime_r(&seconds, &parts)
            let (year, month, day) = unsafe (Int(parts.tm_year) + 1900, parts.tm_mon + 1, parts.tm_mday)
            let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
            var buffer = ByteBuffer(capacity: 32)
            timestamp.append(seconds: Int64(seconds), nanoseconds: 7_000_000, to: &buffer)
            func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
            let date = "\("\(10_000 + year)".dropFirst())-\(two(month))-\(two(day))"
            let time = "\(two(hour)):\(two(minute)):\(two(second))"
            #expect(text(buffer) == "\(date)T\(time).007Z", "seed \(seed)")
        }
    }
}
