import Foundation
import Testing

@testable import RecommendService

@Suite("RFC 3339 times") struct RFC3339TimeTests {
    @Test(
        "moments of the calendar are read",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2028-02-29T23:59:59Z", 1_835_481_599), ("2000-02-29t00:00:00z", 951_782_400),
            ("2026-11-22T22:00:00+09:00", 1_795_352_400), ("2026-11-22T22:00:00+0900", 1_795_352_400),
            ("2026-11-22T22:00:00-00:30", 1_795_386_600), ("2026-11-22T22:00:00.000Z", 1_795_384_800),
            ("2026-11-22T22:00:00.0001Z", 1_795_384_801), ("0000-03-01T00:00:00Z", -62_162_035_200),
        ])
    func moments(_ text: String, _ seconds: Int64) { #expect(RFC3339Time(text)?.seconds == seconds) }

    @Test("every day of four centuries is the one that Foundation counts") func days() throws {
        for day in stride(from: -60_000, to: 90_000, by: 1) {
            let seconds = Int64(day) * 86_400 + 3_723
            let text = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
            #expect(RFC3339Time(text)?.seconds == seconds, "\(text)")
        }
    }

    @Test(
        "what is no moment is not read",
        arguments: [
            "", "2026", "2026-11-22", "2026-11-22T22:00:00", "2026-11-22 22:00:00Z", "2026-11-22T22:00Z",
            "2026-11-22T22:00:00.Z", "2026-11-22T22:00:00+09", "2026-11-22T22:00:00+24:00", "2026-11-22T22:00:00+09:60",
            "2026-11-22T22:00:00Zx", "+026-11-22T22:00:00Z", "2100-02-29T00:00:00Z", "2026-11-22T22:00:60Z", "soon",
        ])
    func none(_ text: String) { #expect(RFC3339Time(text) == nil) }
}
