import Foundation
import TestSupport
import Testing

@Suite("nextloop registry, through the built binary") struct RegistryCommandTests {
    let directory: TemporaryDirectory
    let options: [String]

    /// Three versions of a tiny model, the first one in production.
    init() throws {
        directory = try TemporaryDirectory()
        options = ["--registry", directory.file("models"), "--model", "m"]
        let orders = try SampleRegistry.made.get().orders
        for seed in 1...3 {
            let run = try BuiltBinary.run(
                [
                    "train", "--orders", orders, "--factors", "2", "--iterations", "1", "--skip-evaluation", "--seed",
                    "\(seed)",
                ]
                    + options + (seed == 1 ? ["--promote", "production"] : []))
            try #require(run.exitCode == 0, "\(run.errors)")
        }
    }

    private func registry(_ arguments: String...) throws -> BuiltBinary.Result {
        try BuiltBinary.run(["registry"] + arguments + options)
    }

    @Test("promote, show, roll back and prune do what they say") func aliases() throws {
        for version in ["2", "3"] {
            let run = try registry("promote", "--version", version, "--alias", "production", "--reason", "weekly run")
            #expect(run.output == "m production is version \(version)\n", "\(run.errors)")
        }
        #expect(try registry("rollback").output == "m production is version 2\n")
        #expect(try registry("rollback", "--alias", "production").output == "m production is version 1\n")
        let nothing = try registry("rollback")
        #expect(nothing.exitCode == 66)
        #expect(nothing.errors.contains("cannot roll back"))
        let shown = try registry("show")
        #expect(shown.output.contains("weekly run"))
        #expect(shown.output.split(separator: "\n").filter { $0.contains("rollback") }.count == 2)
        let table = try String(contentsOfFile: directory.file("models/m/aliases.json"), encoding: .utf8)
        #expect(table == "{\"production\":1}\n")
        #expect(try registry("prune", "--keep", "1").output.hasPrefix("nothing to remove\n"), "all are too young")
        let pruned = try registry("prune", "--keep", "1", "--grace-seconds", "0")
        #expect(pruned.output == "removed 2\nkept 1: named by production\nkept 3: one of the newest\n")
        let fine = "fine, 32 golden queries answered\n"
        #expect(try registry("verify", "--all").output == "m version 1: \(fine)m version 3: \(fine)")
        #expect(try registry("show", "--version", "3").output.contains("\"golden_queries\" : 32"))
        let json = try registry("prune", "--keep", "1", "--grace-seconds", "0", "--json").output
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(report["removed"] as? [Int] == [] && (report["kept"] as? [[String: Any]])?.count == 2)
    }

    @Test(
        "a damaged list of what servers refused hides neither aliases nor history, and a rollback names what it passes over"
    )
    func verdicts() throws {
        for version in ["2", "3"] {
            #expect(try registry("promote", "--version", version, "--alias", "production").exitCode == 0)
        }
        let file = directory.file("models/m/verdicts.json")
        try Data("{".utf8).write(to: URL(filePath: file))
        let shown = try registry("show")
        #expect(shown.exitCode == 0)
        #expect(shown.output.contains("production") && shown.output.contains("promote"))
        #expect(shown.errors.contains("verdicts.json is damaged"), "\(shown.errors)")
        let damaged = Data(try registry("show", "--json").output.utf8)
        let json = try #require(try JSONSerialization.jsonObject(with: damaged) as? [String: Any])
        #expect(json["verdicts"] is NSNull)
        #expect((json["problem"] as? String)?.contains("verdicts.json is damaged") == true)
        #expect((json["history"] as? [Any])?.isEmpty == false)

        let manifest = Data(try registry("show", "--version", "2").output.utf8)
        let files = (try JSONSerialization.jsonObject(with: manifest) as? [String: Any])?["files"] as? [[String: Any]]
        let digest = try #require(files?.first { $0["name"] as? String == "model.safetensors" }?["sha256"] as? String)
        let refusal = """
            [{"alias":"production","at":"2026-01-01T00:00:00Z","compared_with":1,"gate":"overlap","model_sha256":"\(digest)",\
            "reason":"too little","thresholds":"a","version":2,"who":"me@here"}]
            """
        try Data(refusal.utf8).write(to: URL(filePath: file))
        #expect(try registry("show").output.contains("refused by overlap"))
        let back = try registry("rollback")
        #expect(back.output == "m production is version 1\n")
        #expect(back.errors.contains("passed over 2, refused by servers"), "\(back.errors)")
        let again = try registry(
            "promote", "--version", "2", "--alias", "production", "--actor", "kim", "--reason", "new menu")
        try #require(again.exitCode == 0, "\(again.errors)")
        let row = try #require(try registry("show").output.split(separator: "\n").last)
        #expect(row.contains("refused by overlap") && row.contains("taken back by kim at"), "\(row)")
        #expect(row.hasSuffix(": new menu (it said: too little)"), "\(row)")
        #expect(try registry("show", "--json").output.contains("\"taken_back\""))
    }

    @Test("options of which one would be dropped are wrong usage; the command line's choice silences a variable")
    func oneOf() throws {
        let cases: [(command: [String], words: String)] = [
            (["show", "--version", "1", "--alias", "production"], "Got --alias and --version; wanted one of them"),
            (["verify", "--version", "1", "--alias", "production"], "Got --alias and --version; wanted one of them"),
            (["verify", "--all", "--version", "1"], "Got --all and --version; wanted one of them"),
            (["verify", "--all", "--alias", "production"], "Got --all and --alias; wanted one of them"),
        ]
        for (command, words) in cases {
            let run = try BuiltBinary.run(["registry"] + command + options)
            #expect(run.exitCode == 64 && run.output.isEmpty, "\(command)")
            #expect(run.errors.contains(words), "\(command): \(run.errors)")
        }
        let named = try BuiltBinary.run(
            ["registry", "verify"] + options, environment: ["NEXTLOOP_ALL": "yes", "NEXTLOOP_ALIAS": "production"])
        #expect(named.exitCode == 64 && named.errors.contains("Got --all and --alias"), "\(named.errors)")
        let environment = ["NEXTLOOP_ALIAS": "nowhere", "NEXTLOOP_VERSION": ""]
        let all = try BuiltBinary.run(["registry", "verify", "--all"] + options, environment: environment)
        #expect(all.exitCode == 0 && all.output.split(separator: "\n").count == 3, "\(all.errors)")
        let shown = try BuiltBinary.run(["registry", "show", "--version", "2"] + options, environment: environment)
        #expect(shown.exitCode == 0 && shown.output.contains("\"version\" : 2"), "\(shown.errors)")
    }

    @Test("history says who, when and why, as a table and as JSON; what cannot be kept is wrong usage")
    func history() throws {
        let run = try registry(
            "promote", "--version", "2", "--alias", "production", "--actor", "kim", "--reason", "spring menu")
        try #require(run.exitCode == 0, "\(run.errors)")
        _ = try registry("promote", "--version", "3", "--alias", "staging")
        _ = try registry("rollback", "--actor", "lee", "--reason", "CVR down")
        let lines = try registry("history", "--alias", "production").output.split(separator: "\n")
        #expect(lines.count == 4 && lines[2].contains("kim") && lines[2].contains("spring menu"))
        #expect(lines[3].contains("lee") && lines[3].contains("rollback") && lines[3].contains("CVR down"))
        let json = try registry("history", "--json").output
        let changes = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
        #expect(changes.map { $0["to"] as? Int } == [1, 2, 3, 1])
        for wrong in [["--reason", String(repeating: "a", count: 501)], ["--actor", ""], ["--reason", "a\nb"]] {
            let refused = try BuiltBinary.run(
                ["registry", "promote", "--version", "3", "--alias", "production"] + wrong + options)
            #expect(refused.exitCode == 64, "\(wrong): \(refused.errors)")
        }
    }

    @Test("a number is never given twice, not even after its version was removed by hand") func numbers() throws {
        try FileManager.default.removeItem(atPath: directory.file("models/m/3"))
        let orders = try SampleRegistry.made.get().orders
        let run = try BuiltBinary.run(
            ["train", "--orders", orders, "--factors", "2", "--iterations", "1", "--skip-evaluation", "--json"]
                + options)
        let published = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        #expect(published["version"] as? Int == 4)
    }

    @Test("the history shows what was done by force, also of the version that is there already") func forced() throws {
        #expect(try registry("promote", "--version", "1", "--alias", "production", "--force").exitCode == 0)
        let lines = try registry("history").output.split(separator: "\n")
        try #require(lines.count == 3)
        #expect(!lines[1].contains("forced"))
        #expect(lines[2].contains("promote (forced)"), "\(lines[2])")
    }

    @Test("who waits for the lock of another says whose it is, and goes on when it is free") func waits() throws {
        let lock = directory.file("models/m/.lock")
        let holder = Process()
        holder.executableURL = URL(filePath: "/usr/bin/env")
        holder.arguments = ["flock", lock, "sleep", "4"]
        try holder.run()
        defer { holder.waitUntilExit() }
        // The holder takes a moment to begin.
        while try BuiltBinary.runProgram("/usr/bin/env", ["flock", "-n", lock, "true"], seconds: 10).exitCode == 0 {
            try #require(holder.isRunning)
        }
        let run = try registry("promote", "--version", "2", "--alias", "production")
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(run.errors.contains("waiting for \(lock), which "), "\(run.errors)")
        #expect(run.errors.contains("giving up after 60 s"), "\(run.errors)")
    }

    @Test("a damaged alias table: list and show print what they can, and end with 65", arguments: [false, true])
    func damagedAliases(json: Bool) throws {
        try Data("{".utf8).write(to: URL(filePath: directory.file("models/m/aliases.json")))
        for command in ["list", "show"] {
            let run = try BuiltBinary.run(["registry", command] + options + (json ? ["--json"] : []))
            #expect(run.exitCode == 65, "\(command)")
            #expect(run.errors.contains("aliases.json is damaged"), "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
            #expect(run.output.contains(command == "list" ? "3" : "production"), "\(run.output)")
            if json { #expect(run.output.contains("\"problem\"")) }
        }
    }

    @Test("list shows every model and version, as a table and as JSON") func list() throws {
        let table = try BuiltBinary.run(["registry", "list", "--registry", directory.file("models")])
        #expect(table.output.contains("m      1        production\n"))
        let json = try BuiltBinary.run(["registry", "list", "--registry", directory.file("models"), "--json"])
        let entries = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        #expect(entries.first?["versions"] as? [Int] == [1, 2, 3])
    }

    @Test("the same orders, seed and settings give the same bytes, whatever the threads") func reproducible() throws {
        let orders = try SampleRegistry.made.get().orders
        let files = try [1, 2, 3].map { threads in
            let models = directory.file("threads-\(threads)")
            let run = try BuiltBinary.run([
                "train", "--orders", orders, "--registry", models, "--model", "m", "--factors", "20", "--iterations",
                "3",
                "--threads", "\(threads)",
            ])
            try #require(run.exitCode == 0, "\(run.errors)")
            return try Data(contentsOf: URL(filePath: models + "/m/1/model.safetensors"))
        }
        #expect(files[0] == files[1] && files[1] == files[2])
    }

    @Test("evaluate measures a version on orders, beside popularity") func evaluate() throws {
        let orders = try SampleRegistry.made.get().orders
        let run = try BuiltBinary.run(["evaluate", "--orders", orders, "--json"] + options)
        let record = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let als = try #require(record["als"] as? [String: Double])
        #expect((0...1).contains(try #require(als["ndcg_at_10"])))
        #expect((record["users"] as? Int ?? 0) > 100)
    }
}
