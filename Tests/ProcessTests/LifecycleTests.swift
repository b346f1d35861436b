import Foundation
import TestSupport
import Testing

/// Goal: whatever is done to the registry of a running server, it answers, from a version that was verified, and says what it did not take and why.
@Suite("A running server and its registry", .serialized) struct LifecycleTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory

    /// A registry of its own: version 1 of the shared one is `production`, version 2 was trained with another seed.
    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: made.registry, toPath: registry)
        try train()
    }

    private var registry: String { directory.file("models") }
    private var options: [String] { ["--registry", registry, "--model", "room-service"] }

    private func train(seed: Int = 43, _ extra: [String] = []) throws {
        let run = try BuiltBinary.run(
            ["train", "--orders", made.orders, "--factors", "16", "--iterations", "5", "--seed", String(seed)] + options
                + extra)
        try #require(run.exitCode == 0, "\(run.errors)")
    }

    private func registryCommand(_ words: String, _ options: [String]? = nil) throws {
        let run = try BuiltBinary.run(
            ["registry"] + words.split(separator: " ").map(String.init) + (options ?? self.options))
        try #require(run.exitCode == 0, "\(words): \(run.errors)")
    }

    private func serve(_ extra: [String] = []) throws -> RunningServer {
        try RunningServer(options + ["--threads", "1", "--poll-seconds", "0.1"] + extra)
    }

    private func version(_ server: RunningServer, _ query: String = "") throws -> String? {
        try server.get("/recommend?user_id=\(made.guest)\(query)").headers["x-model-version"]
    }

    /// Waits, at most thirty seconds, for something to be true of the server.
    private func eventually(_ what: String, _ isTrue: () throws -> Bool) throws {
        for _ in 0..<600 {
            if try isTrue() { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        Issue.record("never: \(what)")
    }

    private struct Status: Decodable {
        struct Version: Decodable {
            let version: Int
            let state: String
            let gate: String?
            let reason: String?
        }

        let live: Int?
        let inPlaceOf: Int?
        let problem: String?
        let versions: [Version]

        func version(_ number: Int) -> Version? { versions.first { $0.version == number } }
    }

    private func status(_ server: RunningServer) throws -> Status {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Status.self, from: Data(try server.get("/models/room-service").text.utf8))
    }

    /// Gives the alias a version behind the registry's back: its own command refuses what is damaged.
    private func point(_ alias: String, at version: Int) throws {
        let file = "\(registry)/room-service/aliases.json"
        try Data("{\"\(alias)\":\(version)}\n".utf8).write(to: URL(filePath: file), options: .atomic)
    }

    @Test("promote and rollback are followed without a restart, and every answer says whose it is") func follow() throws
    {
        let server = try serve()
        #expect(try version(server) == "1")
        try registryCommand("promote --version 2 --alias production")
        try eventually("version 2 answers") { try version(server) == "2" }
        let body = try RecommendationAnswer(try server.get("/recommend?user_id=\(made.guest)").text)
        #expect(body.modelVersion == 2)
        #expect(try server.get("/model/info").text.contains("\"version\" : 2"))
        let metrics = try server.get("/metrics").text
        #expect(metrics.contains("nextloop_model_info{model=\"room-service\",version=\"2\",alias=\"production\"} 1.0"))
        #expect(metrics.contains("nextloop_model_reloads_total{result=\"success\"} 2.0"))
        #expect(metrics.contains("nextloop_model_swaps_total{model=\"room-service\"} 1.0"))
        try registryCommand("rollback --alias production")
        try eventually("version 1 answers") { try version(server) == "1" }
        // The version before is unmapped once nobody uses it.
        try eventually("version 2 is unmapped") {
            try !String(contentsOfFile: "/proc/\(server.processIdentifier)/maps", encoding: .utf8)
                .contains("/room-service/2/")
        }
    }

    @Test("the newest version is followed as it is published, and one that is being copied is waited for") func latest()
        throws
    {
        let server = try serve(["--latest", "1"])
        #expect(try version(server) == "2")
        // Slowly, file by file, into place: as a copy without a registry's care does it.
        let (from, to) = ("\(registry)/room-service/2", "\(registry)/room-service/3")
        try FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: false)
        let manifest = try String(contentsOfFile: from + "/manifest.json", encoding: .utf8)
        try Data(manifest.replacing("\"version\" : 2", with: "\"version\" : 3").utf8)
            .write(to: URL(filePath: to + "/manifest.json"))
        for name in ["golden.json", "codes.safetensors"] {
            try FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(to)/\(name)")
        }
        let model = try Data(contentsOf: URL(filePath: from + "/model.safetensors"))
        _ = FileManager.default.createFile(atPath: to + "/model.safetensors", contents: nil)
        let file = try FileHandle(forWritingTo: URL(filePath: to + "/model.safetensors"))
        for start in stride(from: 0, to: model.count, by: model.count / 4 + 1) {
            try file.write(contentsOf: model[start..<min(model.count, start + model.count / 4 + 1)])
            Thread.sleep(forTimeInterval: 0.15)
            if start + model.count / 4 + 1 < model.count { #expect(try version(server) == "2") }
        }
        try file.close()
        try eventually("version 3 answers") { try version(server) == "3" }
        #expect(!server.errors.contains("rejected"), "a copy under way is no bad version")
        try train(seed: 44)
        try eventually("version 4 answers") { try version(server) == "4" }
    }

    @Test("bad versions of every kind are refused with their reason, and the answers stay the same") func badVersions()
        throws
    {
        let server = try serve()
        let answer = try server.get("/recommend?user_id=\(made.guest)", headers: ["X-Request-ID": "r"]).text
        var number = 2
        for (what, words, damage) in Self.damages {
            number += 1
            let version = "\(registry)/room-service/\(number)"
            try FileManager.default.copyItem(atPath: "\(registry)/room-service/2", toPath: version)
            let manifest = try String(contentsOfFile: version + "/manifest.json", encoding: .utf8)
                .replacing("\"version\" : 2", with: "\"version\" : \(number)")
            try Data(manifest.utf8).write(to: URL(filePath: version + "/manifest.json"))
            try damage(version)
            try point("production", at: number)
            try eventually("\(what): rejected") { try status(server).version(number)?.state == "rejected" }
            let told = try #require(try status(server).version(number))
            #expect(told.gate == "verify", "\(what)")
            #expect(told.reason?.contains(words) == true, "\(what): \(told.reason ?? "")")
            #expect(try status(server).live == 1)
            #expect(
                try server.get("/recommend?user_id=\(made.guest)", headers: ["X-Request-ID": "r"]).text == answer,
                "\(what)")
        }
        try eventually("every rejection is counted") {
            try server.get("/metrics").text.contains(
                "nextloop_model_rejections_total{model=\"room-service\",gate=\"verify\"} \(Double(Self.damages.count))")
        }
        #expect(try server.get("/readyz").status == 200)
        // Each was said once, however often the registry was looked at.
        #expect(server.errors.components(separatedBy: "is rejected").count - 1 == Self.damages.count)
        try point("production", at: 2)
        try eventually("a good one is taken") { try version(server) == "2" }
    }

    private static let damages: [(String, String, @Sendable (String) throws -> Void)] = [
        ("a flipped bit", "SHA-256", { try edit($0, "model.safetensors") { $0[$0.count / 2] ^= 1 } }),
        ("a cut file", "bytes, its manifest says", { try edit($0, "model.safetensors") { $0.removeLast(9) } }),
        ("a longer file", "bytes, its manifest says", { try edit($0, "model.safetensors") { $0.append(0) } }),
        ("no model file", "no regular file", { try FileManager.default.removeItem(atPath: $0 + "/model.safetensors") }),
        ("a flipped bit of the codes", "SHA-256", { try edit($0, "codes.safetensors") { $0[$0.count / 2] ^= 1 } }),
        ("cut codes", "bytes, its manifest says", { try edit($0, "codes.safetensors") { $0.removeLast(9) } }),
        ("no codes", "no regular file", { try FileManager.default.removeItem(atPath: $0 + "/codes.safetensors") }),
        ("no manifest", "manifest.json", { try FileManager.default.removeItem(atPath: $0 + "/manifest.json") }),
        ("a manifest that is none", "manifest.json", { try edit($0, "manifest.json") { $0 = Data("[]".utf8) } }),
        ("another format", "format", { try replace($0, "nextloop-model/1", "nextloop-model/9") }),
        ("another model's manifest", "'minibar'", { try replace($0, "\"room-service\"", "\"minibar\"") }),
        (
            "other shapes", "factors",
            { try replace($0, "\"factors\" : 16,\n    \"hotels\"", "\"factors\" : 17,\n    \"hotels\"") }
        ),
    ]

    @Test("a process whose first version has damaged codes says so and answers alike; every other load refuses it")
    func damagedCodes() throws {
        func answer(_ server: RunningServer) throws -> String {
            try server.get("/recommend?user_id=\(made.guest)", headers: ["X-Request-ID": "r"]).text
        }
        let sound = try answer(try serve())
        try Self.edit("\(registry)/room-service/1", "codes.safetensors") { $0[$0.count / 2] ^= 1 }
        let server = try serve()
        #expect(try answer(server) == sound)
        try eventually("told") {
            server.errors.contains("error")
                && server.errors.contains("room-service: version 1 answers with codes that this")
        }
        #expect(server.errors.contains("/1/codes.safetensors has SHA-256 "))
        #expect(server.errors.contains("publish the model again"))
        #expect(try answer(server) == sound)
        #expect(try status(server).live == 1)
        for words in ["verify --version 1", "promote --version 1 --alias staging"] {
            let run = try BuiltBinary.run(["registry"] + words.split(separator: " ").map(String.init) + options)
            #expect(run.exitCode == 65, "\(words)")
            #expect(run.errors.contains("codes.safetensors has SHA-256"), "\(run.errors)")
        }
        try point("production", at: 2)
        try eventually("version 2 answers") { try version(server) == "2" }
        // Version 1 is still in memory as the one before; a process that has another version first has to load it.
        let other = try serve()
        try eventually("version 2 answers there") { try version(other) == "2" }
        try point("production", at: 1)
        try eventually("rejected") { try status(other).version(1)?.state == "rejected" }
        #expect(try version(other) == "2")
    }

    private static func edit(_ version: String, _ name: String, _ body: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(filePath: "\(version)/\(name)"))
        body(&data)
        try data.write(to: URL(filePath: "\(version)/\(name)"))
    }

    private static func replace(_ version: String, _ text: String, _ other: String) throws {
        let file = "\(version)/manifest.json"
        let manifest = try String(contentsOfFile: file, encoding: .utf8)
        try #require(manifest.contains(text), "\(text) is not in \(manifest)")
        try Data(manifest.replacing(text, with: other).utf8).write(to: URL(filePath: file))
    }

    @Test("a gate refuses a version that is sound but not good enough, and a lower minimum takes it") func gate() throws
    {
        let strict = try serve(["--gate-min-metric", "ndcg@10=0.99", "--wait-for-model"])
        #expect(try strict.get("/readyz").status == 503)
        let told = try #require(try status(strict).version(1))
        #expect(told.state == "rejected")
        #expect(told.gate == "metric")
        #expect(told.reason?.contains("wanted at least 0.99") == true)
        let failed = try BuiltBinary.run(["serve", "--port", "0", "--gate-min-metric", "ndcg@10=0.99"] + options)
        #expect(failed.exitCode == 65, "\(failed.errors)")
        #expect(failed.errors.contains("ndcg@10 is "))
        #expect(try version(try serve(["--gate-min-metric", "ndcg@10=0"])) == "1")
    }

    @Test("what a gate refused does not come in by a kill and a restart; by force it does", .timeLimit(.minutes(5)))
    func refusedAndRestarted() throws {
        let strict = ["--gate-min-overlap", "1"]
        func expectStandIn(_ server: RunningServer, _ words: String) throws {
            #expect(try version(server) == "1")
            let told = try status(server)
            #expect(told.live == 1)
            #expect(told.inPlaceOf == 2)
            #expect(told.version(2)?.gate == "overlap")
            #expect(told.version(2)?.reason?.contains(words) == true, "\(told.version(2)?.reason ?? "")")
            let ready = try server.get("/readyz")
            #expect(ready.status == 200)
            #expect(ready.text.contains("\"model_version\":1,\"in_place_of\":2}"), "\(ready.text)")
            #expect(
                try server.get("/metrics").text.contains("nextloop_model_standing_in{model=\"room-service\"} 1.0\n"))
        }
        let first = try serve(strict)
        #expect(try first.get("/metrics").text.contains("nextloop_model_standing_in{model=\"room-service\"} 0.0\n"))
        try registryCommand("promote --version 2 --alias production")
        try eventually("rejected") { try status(first).version(2)?.state == "rejected" }
        try expectStandIn(first, "wanted at least 1")
        let shown = try BuiltBinary.run(["registry", "show"] + options)
        #expect(shown.output.contains("refused by overlap"), "\(shown.output)")
        first.send(SIGKILL)

        let second = try serve(strict)
        try expectStandIn(second, "promote it again")
        #expect(second.errors.contains("version 1 answers in place of version 2"), "\(second.errors)")
        second.send(SIGKILL)

        // Without the record, as on a registry that may only be read: by the golden queries of version 1.
        try FileManager.default.removeItem(atPath: "\(registry)/room-service/verdicts.json")
        let third = try serve(strict)
        try expectStandIn(third, "with version 1 is")
        third.send(SIGKILL)

        try registryCommand("promote --version 2 --alias production --force")
        let forced = try serve(strict)
        #expect(try version(forced) == "2")
        #expect(try status(forced).inPlaceOf == nil)
    }

    @Test("a registry that disappears and returns, and a version removed while it is served, stop nobody")
    func disappears()
        throws
    {
        let server = try serve()
        try FileManager.default.moveItem(atPath: registry, toPath: registry + ".away")
        try eventually("the problem is told") { try status(server).problem?.contains("no registry at") == true }
        #expect(try version(server) == "1")
        #expect(try server.get("/readyz").status == 200)
        try FileManager.default.moveItem(atPath: registry + ".away", toPath: registry)
        try eventually("it is followed again") { try status(server).problem == nil }
        try registryCommand("promote --version 2 --alias production")
        try eventually("version 2 answers") { try version(server) == "2" }
        try FileManager.default.removeItem(atPath: "\(registry)/room-service/2")
        try eventually("the alias points nowhere") { try status(server).problem?.contains("no version 2") == true }
        #expect(try version(server) == "2")
        #expect(server.errors.components(separatedBy: "cannot follow").count - 1 == 2, "\(server.errors)")
    }

    @Test("several models in one process, each with a policy of its own") func several() throws {
        try FileManager.default.copyItem(atPath: "\(registry)/room-service", toPath: "\(registry)/minibar")
        for number in 1...2 { try Self.replace("\(registry)/minibar/\(number)", "\"room-service\"", "\"minibar\"") }
        let server = try RunningServer([
            "--registry", registry, "--model", "room-service", "--model", "minibar=latest:2", "--poll-seconds", "0.1",
        ])
        #expect(try version(server) == "1")
        #expect(try version(server, "&model=minibar") == "2")
        #expect(try server.get("/recommend?user_id=1&model=other").status == 404)
        let metrics = try server.get("/metrics").text
        #expect(metrics.contains("nextloop_model_info{model=\"minibar\",version=\"2\",alias=\"\"} 1.0"))
        #expect(metrics.contains("nextloop_recommendations_total{model=\"minibar\",version=\"1\",strategy=\"als\"} 0"))
        try registryCommand("promote --version 2 --alias production")
        try eventually("only that model changes") { try version(server) == "2" }
        #expect(try version(server, "&model=minibar") == "2")
        let byEnvironment = try RunningServer(
            [],
            environment: ["NEXTLOOP_REGISTRY": registry, "NEXTLOOP_MODEL": "minibar=version=1:room-service=latest=1"])
        #expect(try version(byEnvironment) == "1")
        #expect(try version(byEnvironment, "&model=room-service") == "2")
    }

    @Test("with --wait-for-model an empty registry is waited for, with the reason in /readyz") func waits() throws {
        let empty = directory.file("empty")
        let server = try RunningServer([
            "--registry", empty, "--model", "room-service", "--wait-for-model", "--poll-seconds", "0.1",
        ])
        let unready = try server.get("/readyz")
        #expect(unready.status == 503)
        #expect(unready.text.contains("no registry at"))
        #expect(try server.get("/recommend?user_id=1").status == 503)
        #expect(try server.get("/livez").status == 200)
        try FileManager.default.copyItem(atPath: registry, toPath: empty)
        try eventually("ready") { try server.get("/readyz").status == 200 }
        #expect(try version(server) == "1")
    }

    @Test("SIGHUP looks again, also at what was refused, and ends nothing") func hangup() throws {
        let server = try serve()
        try Self.edit("\(registry)/room-service/2", "model.safetensors") { $0[$0.count / 2] ^= 1 }
        try point("production", at: 2)
        try eventually("rejected") { try status(server).version(2)?.state == "rejected" }
        #expect(server.errors.components(separatedBy: "is rejected").count - 1 == 1)
        server.send(SIGHUP)
        try eventually("tried again") { server.errors.components(separatedBy: "is rejected").count - 1 == 2 }
        #expect(try version(server) == "1")
    }

    @Test(
        "wrong usage of the following options is 64 and says what was wanted",
        arguments: [
            (["--alias", "a", "--latest", "1"], "one of them"), (["--latest", "0"], "1 to 100"),
            (["--latest", "101"], "1 to 100"), (["--model", "room-service"], "different models"),
            (["--model", "b=newest:1"], "NAME=latest:N"), (["--model", "b=alias"], "NAME=latest:N"),
            (["--model", "b=version:0"], "1 to 999999999"), (["--model", "b=alias:7"], "no alias"),
            (["--model", "B"], "no model name"), (["--poll-seconds", "0.09"], "0.1 to 86400"),
            (["--keep-previous", "11"], "0 to 10"), (["--load-bytes-per-second", "999999"], "1000000 or more"),
            (["--gate-min-overlap", "1.1"], "0 to 1"), (["--gate-max-shrink", "-0.1"], "0 to 1"),
            (["--gate-users", "19"], "20 to 10000"), (["--gate-min-metric", "ndcg=1"], "ndcg@10"),
        ])
    func usage(extra: [String], words: String) throws {
        let run = try BuiltBinary.run(["serve", "--port", "0"] + options + extra)
        #expect(run.exitCode == 64, "\(run.errors)")
        #expect(run.errors.contains(words), "\(run.errors)")
    }

    @Test(
        "an alias, version or latest that is for no model is 64, from the command line and from the environment",
        arguments: [("--alias", "staging"), ("--version", "2"), ("--latest", "2")])
    func policyForNobody(option: String, value: String) throws {
        let words = "Got \(option), which is for models without a policy, and every --model has a policy of its own"
        let own = ["serve", "--port", "0", "--registry", registry, "--model", "room-service=version:1"]
        let given = try BuiltBinary.run(own + ["--model", "minibar=latest:1", option, value])
        #expect(given.exitCode == 64 && given.errors.contains(words), "\(given.errors)")
        let variable = "NEXTLOOP_\(option.dropFirst(2).uppercased())"
        let named = try BuiltBinary.run(own, environment: [variable: value])
        #expect(named.exitCode == 64 && named.errors.contains(words), "\(named.errors)")
        #expect(named.errors.contains("may have come from the environment: \(variable)"), "\(named.errors)")
    }

    @Test("beside a model with a policy of its own the option is for the others") func policyForOthers() throws {
        try FileManager.default.copyItem(atPath: "\(registry)/room-service", toPath: "\(registry)/minibar")
        for number in 1...2 { try Self.replace("\(registry)/minibar/\(number)", "\"room-service\"", "\"minibar\"") }
        let server = try RunningServer([
            "--registry", registry, "--model", "room-service=version:1", "--model", "minibar", "--version", "2",
        ])
        #expect(try version(server) == "1")
        #expect(try version(server, "&model=minibar") == "2")
    }
}
