import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@testable import RecommendService

@Suite("Experiments") struct ExperimentTests {
    private static func arm(_ name: String, _ percent: String, _ selector: VersionPolicy? = nil) throws
        -> Experiment.Arm
    {
        Experiment.Arm(name: name, share: try #require(BasisPoints(percent: percent)), selector: selector)
    }

    private static func half(_ name: String = "als256") throws -> Experiment {
        try Experiment(name: name, arms: [arm("candidate", "50", .alias("staging")), arm("control", "50")])
    }

    private static func arms(_ experiment: Experiment, users: Int = 20_000) -> [Int?] {
        (0..<users).map { experiment.arm(of: "guest-\($0)".utf8.span) }
    }

    // MARK: Who is in which arm

    @Test("a guest's point is fixed for ever: a restart or another process changes no side")
    func fixed() {
        // Computed once by the definition in the source; a change would move guests of running experiments.
        #expect(Experiment.point(experiment: "als256", user: "1042".utf8.span) == Self.reference("als256", "1042"))
        for user in ["", "1", "김", "a/b"] {
            #expect(Experiment.point(experiment: "x", user: user.utf8.span) == Self.reference("x", user))
        }
    }

    @Test("docs/lifecycle.md has a worked example of the point, and it is right")
    func workedExample() throws {
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "docs/lifecycle.md"), encoding: .utf8)
        let match = try #require(
            page.firstMatch(
                of:
                    /Experiment `([a-z0-9]+)`, guest `([0-9]+)`: FNV-1a\s+`0x([0-9a-f]{16})`,\s+finished\s+`0x([0-9a-f]{16})`,\s+point\s+`([0-9]+)`/
            ))
        let (name, guest) = (String(match.1), String(match.2))
        #expect(Self.fnv(name, guest) == UInt64(match.3, radix: 16))
        #expect(Self.finished(Self.fnv(name, guest)) == UInt64(match.4, radix: 16))
        #expect(Int(match.5) == Experiment.point(experiment: name, user: guest.utf8.span))
        // The remainder of a division is another number, so the example tells the two apart.
        #expect(Int(match.5) != Int(Self.finished(Self.fnv(name, guest)) % 10_000))
    }

    /// The definition again, on Swift's own multiplication of big numbers: written from the papers, not from the code.
    private static func reference(_ experiment: String, _ user: String) -> Int {
        Int(UInt64((UInt128(finished(fnv(experiment, user))) * 10_000) >> 64))
    }

    private static func fnv(_ experiment: String, _ user: String) -> UInt64 {
        var h: UInt64 = 14_695_981_039_346_656_037
        for byte in Array(experiment.utf8) + [0] + Array(user.utf8) {
            h ^= UInt64(byte)
            h = h &* 1_099_511_628_211
        }
        return h
    }

    private static func finished(_ h: UInt64) -> UInt64 {
        var z = h
        z = (z ^ (z >> 30)) &* 13_787_848_793_156_543_929
        z = (z ^ (z >> 27)) &* 10_723_151_780_598_845_931
        return z ^ (z >> 31)
    }

    @Test("arms hold their shares, within what chance allows")
    func shares() throws {
        let experiment = try Experiment(
            name: "three",
            arms: [Self.arm("a", "10", .version(2)), Self.arm("b", "25.5", .version(3)), Self.arm("c", "30")])
        let arms = Self.arms(experiment)
        for (place, share) in [(0, 0.1), (1, 0.255), (2, 0.3)] {
            let count = Double(arms.count { $0 == place })
            // Five standard deviations of a binomial.
            #expect(abs(count - 20_000 * share) < 5 * (20_000 * share * (1 - share)).squareRoot())
        }
    }

    @Test("two experiments know nothing of each other")
    func uncorrelated() throws {
        let first = Self.arms(try Self.half("first"))
        let second = Self.arms(try Self.half("second"))
        let both = Double(zip(first, second).count { $0 == 0 && $1 == 0 })
        #expect(abs(both - 5_000) < 5 * (20_000 * 0.25 * 0.75).squareRoot())
    }

    @Test("while one arm grows, guests join it and nobody changes sides")
    func growing() throws {
        let small = Self.arms(
            try Experiment(name: "x", arms: [Self.arm("a", "5", .version(2)), Self.arm("control", "5")]))
        let large = Self.arms(
            try Experiment(name: "x", arms: [Self.arm("a", "50", .version(2)), Self.arm("control", "50")]))
        #expect(zip(small, large).allSatisfy { $0 == nil || $0 == $1 })
        #expect(large.allSatisfy { $0 != nil })
    }

    @Test("0 % is nobody and 100 % is everybody")
    func ends() throws {
        let experiment = try Experiment(
            name: "x", arms: [Self.arm("nobody", "0", .version(2)), Self.arm("all", "100")])
        #expect(Self.arms(experiment, users: 1000).allSatisfy { $0 == 1 })
    }

    @Test("what is no experiment is refused")
    func invalid() throws {
        let good = try [Self.arm("a", "10", .version(2)), Self.arm("control", "10")]
        #expect(throws: Experiment.Invalid.self) { try Experiment(name: "", arms: good) }
        #expect(throws: Experiment.Invalid.self) { try Experiment(name: "A b", arms: good) }
        #expect(throws: Experiment.Invalid.self) { try Experiment(name: "x", arms: [good[0]]) }
        #expect(throws: Experiment.Invalid.self) { try Experiment(name: "x", arms: [good[0], good[0], good[1]]) }
        #expect(throws: Experiment.Invalid.self) { try Experiment(name: "x", arms: [good[1], Self.arm("b", "1")]) }
        #expect(throws: Experiment.Invalid.self) {
            try Experiment(name: "x", arms: [Self.arm("a", "50.01", .version(2)), Self.arm("control", "50")])
        }
        #expect(throws: Never.self) {
            try Experiment(name: "x", arms: [Self.arm("a", "50", .version(2)), Self.arm("control", "50")])
        }
    }

    @Test(
        "a share is percent with at most two decimals",
        arguments: [
            ("0", 0), ("100", 10_000), ("12.5", 1250), ("0.05", 5), ("007", 700), ("100.01", nil), ("101", nil),
            ("-1", nil),
            ("1.234", nil), ("", nil), (".5", nil), ("5.", nil), ("1e1", nil), ("+5", nil), ("1000", nil),
        ] as [(String, Int?)])
    func percent(_ text: String, _ value: Int?) {
        #expect(BasisPoints(percent: text)?.value == value)
    }

    // MARK: Answers

    /// Version 7 is live; version 8 is what staging names.
    private func fixture(_ experiments: [Experiment], selected: Bool = true) throws -> ServiceFixture {
        let fixture = try ServiceFixture(experiments: experiments)
        fixture.service.models.publish(fixture.served(version: 8), live: false)
        if selected { fixture.service.models.select("room-service", [(.alias("staging"), 8)]) }
        return fixture
    }

    /// A guest of each arm of the half-and-half experiment.
    private func guests() throws -> (candidate: String, control: String) {
        let experiment = try Self.half()
        let ids = (0..<100).map { "g\($0)" }
        return (
            try #require(ids.first { experiment.arm(of: $0.utf8.span) == 0 }),
            try #require(ids.first { experiment.arm(of: $0.utf8.span) == 1 })
        )
    }

    @Test("each guest is answered by the version of their arm, and every answer says which")
    func answers() throws {
        let fixture = try fixture([Self.half()])
        let (candidate, control) = try guests()
        for (guest, version, arm) in [(candidate, 8, "candidate"), (control, 7, "control")] {
            for answer in [
                try fixture.get("/recommend?user_id=\(guest)"),
                try fixture.get("/recommend?k=2&user%5Fid=\(guest)&exclude_seen=true"),
                try fixture.post("/recommend", "{\"k\":3,\"user_id\":\"\(guest)\"}"),
            ] {
                #expect(answer.status == 200)
                #expect(answer.json["model_version"] as? Int == version)
                #expect(answer.header("X-Model-Version") == "\(version)")
                #expect(answer.json["experiment"] as? String == "als256")
                #expect(answer.json["arm"] as? String == arm)
                #expect(answer.header("X-Experiment") == "als256=\(arm)")
            }
        }
        let lines = try fixture.bulk([candidate, control, candidate].map { "{\"user_id\":\"\($0)\"}" }).lines
        #expect(lines.map { $0["model_version"] as? Int } == [8, 7, 8])
        #expect(lines.map { $0["arm"] as? String } == ["candidate", "control", "candidate"])
        let metrics = try fixture.get("/metrics").body
        #expect(
            metrics.contains(
                "nextloop_experiment_answers_total{model=\"room-service\",experiment=\"als256\",arm=\"candidate\"} 5"))
    }

    @Test("guests of both arms in turn get in one bulk answer what each gets alone, in the order of the lines")
    func turns() throws {
        let fixture = try fixture([Self.half()])
        let guests = ["ann", "bob", "zoe"] + (0..<50).map { "g\($0)" }
        let requests = (0..<300).map { place in
            place % 7 == 6
                ? "not JSON"
                : "{\"user_id\":\"\(guests[place % guests.count])\",\"k\":\(1 + place % 4),\"explain\":\(place % 3 == 0)}"
        }
        let lines = try fixture.bulk(requests).lines
        #expect(lines.count == requests.count)
        for (place, request) in requests.enumerated() {
            guard place % 7 != 6 else {
                #expect(lines[place]["line"] as? Int == place + 1)
                continue
            }
            let alone = try fixture.post("/recommend", request).json
            for key in ["user_id", "model_version", "arm", "strategy"] {
                #expect(lines[place][key] as? String == alone[key] as? String, "line \(place)")
            }
            #expect(lines[place]["model_version"] as? Int == alone["model_version"] as? Int, "line \(place)")
            #expect(lines[place]["items"] as? NSArray == alone["items"] as? NSArray, "line \(place)")
        }
        #expect(Set(lines.compactMap { $0["model_version"] as? Int }) == [7, 8])
    }

    @Test("who is outside is told so, by the live version; without experiments nothing is said")
    func outside() throws {
        let none = try Experiment(name: "x", arms: [Self.arm("a", "0", .alias("staging")), Self.arm("control", "0")])
        let answer = try fixture([none]).get("/recommend?user_id=ann")
        #expect(answer.json["model_version"] as? Int == 7)
        #expect(answer.json["arm"] is NSNull && answer.json["experiment"] is NSNull)
        #expect(answer.header("X-Experiment") == nil)
        #expect(try !ServiceFixture().get("/recommend?user_id=ann").body.contains("\"arm\""))
    }

    @Test("an arm whose version is not loaded is answered by the live one, under no label, and counted")
    func missing() throws {
        let fixture = try fixture([Self.half()], selected: false)
        let answer = try fixture.get("/recommend?user_id=\(guests().candidate)")
        #expect(answer.status == 200)
        #expect(answer.json["model_version"] as? Int == 7)
        #expect(answer.json["arm"] is NSNull)
        #expect(
            try fixture.get("/metrics").body.contains(
                "nextloop_experiment_missing_total{model=\"room-service\",experiment=\"als256\",arm=\"candidate\"} 1"))
    }

    @Test("a guest is in the first experiment that has an arm for them")
    func first() throws {
        let small = try Experiment(
            name: "small", arms: [Self.arm("a", "10", .alias("staging")), Self.arm("control", "10")])
        let fixture = try fixture([small, Self.half()])
        for number in 0..<200 {
            let id = "g\(number)"
            let expected = small.arm(of: id.utf8.span) == nil ? "als256" : "small"
            #expect(try fixture.get("/recommend?user_id=\(id)").json["experiment"] as? String == expected)
        }
    }

    @Test("bad requests are refused as ever")
    func bad() throws {
        let fixture = try fixture([Self.half()])
        #expect(try fixture.get("/recommend").problem == "missing-parameter")
        #expect(try fixture.get("/recommend?user_id=%zz").problem == "undecodable-query")
        #expect(try fixture.get("/recommend?user_id=a&user_id=b").problem == "repeated-parameter")
        #expect(try fixture.post("/recommend", "[]").problem == "bad-body")
        #expect(try fixture.post("/recommend", "{\"user_id\":5}").problem == "bad-parameter")
    }
}
