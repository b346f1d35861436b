import Foundation
import RecommendService
import Testing

struct WrittenItemsTests {
    @Test("an answer with the items' texts written ahead is the same, byte for byte")
    func sameAnswers() throws {
        let (ahead, columns) = (try ServiceFixture(), try ServiceFixture())
        ahead.service.models.plan.standard.live?.prepare()
        #expect(ahead.service.models.plan.standard.live?.writtenItems != nil)
        #expect(columns.service.models.plan.standard.live?.writtenItems == nil)
        // Names with quotes and control characters, in Korean, and none; prices and departments known and not.
        for target in [
            "/recommend?user_id=ann&k=5", "/recommend?user_id=ann&k=5&explain=true", "/recommend?user_id=nobody&k=2",
            "/recommend?user_id=ann&k=2&offset=1", "/recommend?user_id=ann&allow=e", "/recommend?user_id=ann&allow=x",
            "/popular?k=5", "/items/a/similar?k=4",
        ] {
            let wanted = try columns.get(target, headers: "X-Request-ID: r\r\n")
            #expect(wanted.status == 200)
            #expect(try ahead.get(target, headers: "X-Request-ID: r\r\n").body == wanted.body, "\(target)")
        }
        let lines = [#"{"user_id":"ann","k":5}"#, "{", #"{"user_id":"bob","k":3,"explain":true}"#]
        let wanted = try columns.bulk(lines).lines.map { $0.filter { $0.key != "request_id" } as NSDictionary }
        #expect(try ahead.bulk(lines).lines.map { $0.filter { $0.key != "request_id" } as NSDictionary } == wanted)
    }

    @Test("texts up to the bound are kept, and those of a byte more are not")
    func bound() throws {
        let fixture = try ServiceFixture()
        // What the answer for all five items says of them, without the scores, the closing braces and the commas between.
        let body = try fixture.get("/recommend?user_id=ann&k=5").body
        let items = body.split(separator: "\"items\":[")[1].split(separator: "],\"request_id\"")[0]
        let scores = ["1.0", "0.5", "0.25", "0.25", "-1.0"].reduce(0) { $0 + $1.utf8.count }
        let bytes = items.utf8.count - scores - 5 - 4
        #expect(WrittenItems(fixture.snapshot, bytesMax: bytes) != nil)
        #expect(WrittenItems(fixture.snapshot, bytesMax: bytes - 1) == nil)
    }
}
