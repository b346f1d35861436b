import Foundation
import TestSupport
import Testing

/// Rubbish on every input of the binary: a clear message, the promised exit code, nothing half-written.
@Suite("Wrong input, through the built binary") struct WrongInputTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
    }

    private func train(_ orders: String, _ more: [String] = []) throws -> BuiltBinary.Result {
        try BuiltBinary.run(
            ["train", "--orders", orders, "--registry", directory.file("models"), "--model", "m", "--factors", "4"]
                + more)
    }

    @Test(
        "train says what is wrong with its input and exits as the contract says",
        arguments: [
            ("", 65, "is empty"), ("a,b\n1,2\n", 65, "none of its 2 fields is a known column"),
            ("order_seq,hotel_seq\n1,2\n", 65, "required column missing: customer_seq"),
            (header + "\n", 65, "no order is left"), (header + "\nnot,a,row\n", 65, "1 of 1 rows rejected"),
            ("\u{1F}\u{8B}\u{8}rubbish", 65, "known column"),
        ])
    func badOrders(contents: String, exitCode: Int32, message: String) throws {
        let orders = try directory.write(Data(contents.utf8), as: "orders.csv")
        let run = try train(orders)
        #expect(run.exitCode == exitCode, "\(run.errors)")
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: directory.file("models/m/1")))
    }

    private static let header = "order_seq,hotel_seq,customer_seq,order_price,status,contents,reg_date"

    @Test("a regularization that float32 loses is refused with 65 and what to do, and nothing is published")
    func unsolved() throws {
        let row = #"1,3,10,1000,COMPLETE,"{""itemSeq"":5,""count"":1}",2024-01-02 03:04:05"#
        let orders = try directory.write(Data((Self.header + "\n" + row + "\n").utf8), as: "one.csv")
        let arguments = [
            "train", "--orders", orders, "--registry", directory.file("models"), "--model", "m", "--promote",
            "production",
        ]
        let refused = try BuiltBinary.run(arguments + ["--regularization", "1e-7"])
        #expect(refused.exitCode == 65 && refused.output.isEmpty)
        #expect(refused.errors.contains("do not solve their equations"), "\(refused.errors)")
        #expect(refused.errors.contains("raise the regularization"), "\(refused.errors)")
        #expect(!FileManager.default.fileExists(atPath: directory.file("models/m/1")))
        #expect(!FileManager.default.fileExists(atPath: directory.file("models/m/aliases.json")))
        #expect(try BuiltBinary.run(arguments).exitCode == 0)
    }

    @Test("a missing file is 66, a directory or a cut gzip is an error, never a trap") func unreadableOrders() throws {
        #expect(try train(directory.file("none.csv")).exitCode == 66)
        #expect([65, 66, 74].contains(try train(directory.path).exitCode))
        let cut = try directory.write(Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]), as: "cut.csv.gz")
        #expect(try train(cut).exitCode == 65)
    }

    @Test("too many rejects stop the run with 65, name the file, and keep the rows without names") func rejects() throws
    {
        let rows = (1...20).map {
            #"\#($0),1,7,100,COMPLETE,"[{""itemSeq"":\#($0 % 3),""count"":1}]",2024-01-0\#($0 % 9 + 1) 10:00:00,Kim Secret,Suite 12"#
        }
        let bad = "x,1,7,100,COMPLETE,[],2024-01-01 10:00:00,Lee Secret,Suite 13"
        let text = ([Self.header + ",customer_name,room_name"] + rows + [bad, bad]).joined(separator: "\n")
        let orders = try directory.write(Data(text.utf8), as: "orders.csv")
        let refused = try train(orders, ["--rejects", directory.file("rejects.csv")])
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("2 of 22 rows rejected"))
        #expect(refused.errors.contains("rejects.csv"))
        let kept = try String(contentsOfFile: directory.file("rejects.csv"), encoding: .utf8)
        #expect(kept.contains("bad_order_seq") && kept.contains(",22,") && kept.contains(",23,"))
        let accepted = try train(
            orders, ["--rejects", directory.file("rejects.csv"), "--max-reject-share", "0.1", "--iterations", "2"])
        #expect(accepted.exitCode == 0, "\(accepted.errors)")
        let everything = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
            .filter { !$0.hasSuffix("orders.csv") }
            .compactMap { try? Data(contentsOf: URL(filePath: directory.file($0))) }
        for bytes in everything {
            #expect(bytes.range(of: Data("Secret".utf8)) == nil)
            #expect(bytes.range(of: Data("Suite".utf8)) == nil)
        }
        #expect(!refused.errors.contains("Secret") && !accepted.errors.contains("Secret"))
    }

    @Test(
        "wrong usage is 64 and says what was wanted",
        arguments: [
            (["train"], "--orders"), (["serve", "--registry", "x", "--model", "m", "--port", "70000"], "0 to 65535"),
            (["serve", "--registry", "x", "--model", "m", "--threads", "0"], "1 to 256"),
            (
                ["serve", "--registry", "x", "--model", "m", "--max-buffered-bytes", "1000000"],
                "twice what one request may have"
            ),
            (
                [
                    "serve", "--registry", "x", "--model", "m", "--max-body-bytes", "268435456", "--max-buffered-bytes",
                    "268435456",
                ], "--max-buffered-bytes is 268435456; wanted 536985600"
            ),
            (["serve", "--registry", "x", "--model", "m", "--alias", "a", "--version", "1"], "one of them"),
            (
                ["train", "--orders", "x", "--registry", "x", "--model", "m", "--factors", "0"],
                "factors is 0; wanted 1 to 1024"
            ),
            (["train", "--orders", "x", "--registry", "x", "--model", "m", "--alpha", "nan"], "alpha"),
            (["train", "--orders", "x", "--registry", "x", "--model", "Bad Name"], "no model name"),
            (["train", "--orders", "x", "--registry", "x", "--model", "m", "--promote", "7"], "no alias"),
            (["recommend", "--registry", "x", "--model", "m", "--user", "1", "-k", "1001"], "1 to 1000"),
            (["sample-orders", "--customers", "0", "--output", "-"], "customers"),
            (["registry", "prune", "--registry", "REGISTRY", "--model", "room-service", "--keep", "0"], "wanted 1"),
            (["no-such-command"], "Unexpected"), (["probe", "--port", "0"], "1 to 65535"),
        ])
    func usage(arguments: [String], message: String) throws {
        let run = try BuiltBinary.run(arguments.map { $0 == "REGISTRY" ? made.registry : $0 })
        #expect(run.exitCode == 64, "\(run.errors)")
        #expect(run.errors.contains(message), "\(run.errors)")
    }

    @Test(
        "what is not there is 66 and the message names what is",
        arguments: [
            (["--registry", "/nowhere", "--model", "m"], "no registry at /nowhere"),
            (["--registry", "REGISTRY", "--model", "other"], "no model 'other'"),
            (["--registry", "REGISTRY", "--model", "room-service", "--alias", "staging"], "there are: production"),
            (["--registry", "REGISTRY", "--model", "room-service", "--version", "99"], "there are: 1"),
        ])
    func missing(options: [String], message: String) throws {
        let options = options.map { $0 == "REGISTRY" ? made.registry : $0 }
        for command in [["serve", "--port", "0"], ["recommend", "--user", "1"]] {
            let run = try BuiltBinary.run(command + options)
            #expect(run.exitCode == 66, "\(run.errors)")
            #expect(run.errors.contains(message), "\(run.errors)")
        }
    }

    @Test("a body may be as large as its bound allows without a word about the memory for all of them")
    func largeBodies() throws {
        for bytes in ["268435456", "1073741824"] {
            let run = try BuiltBinary.run(
                ["serve", "--port", "0", "--registry", "/nowhere", "--model", "m", "--max-body-bytes", bytes])
            #expect(run.exitCode == 66 && run.errors.contains("no registry at /nowhere"), "\(run.errors)")
        }
    }

    @Test("a damaged model is refused with 65 and the reason, by every command that would use it") func damagedModel()
        throws
    {
        let copy = directory.file("models")
        try FileManager.default.copyItem(atPath: made.registry, toPath: copy)
        let file = copy + "/room-service/1/model.safetensors"
        let whole = try Data(contentsOf: URL(filePath: file))
        var flipped = whole
        flipped[flipped.count / 2] ^= 1
        let options = ["--registry", copy, "--model", "room-service"]
        for (bytes, message) in [
            (flipped, "SHA-256"), (whole.dropLast(1), "bytes, its manifest says"), (Data(), "bytes"),
        ] {
            try Data(bytes).write(to: URL(filePath: file))
            for command in [
                ["serve", "--port", "0"], ["recommend", "--user", "1"], ["registry", "verify"],
                ["registry", "promote", "--version", "1", "--alias", "staging"],
            ] {
                let run = try BuiltBinary.run(command + options)
                #expect(run.exitCode == 65, "\(command): \(run.errors)")
                #expect(run.errors.contains(message), "\(command): \(run.errors)")
            }
        }
        try whole.write(to: URL(filePath: file))
        try Data("{\"format\": 3}".utf8).write(to: URL(filePath: copy + "/room-service/1/manifest.json"))
        let run = try BuiltBinary.run(["registry", "verify"] + options)
        #expect(run.exitCode == 65)
        #expect(run.errors.contains("manifest.json"))
    }

    @Test("a port that is taken is 74 and says what to do") func portTaken() throws {
        let first = try RunningServer(made.options + ["--threads", "1"])
        let second = try BuiltBinary.run(["serve", "--port", String(first.port)] + made.options)
        #expect(second.exitCode == 74, "\(second.errors)")
        #expect(second.errors.contains("another process does"))
        #expect(try first.get("/livez").status == 200)
    }

    @Test("output that cannot be written is 74, not an empty success") func fullDisk() throws {
        for command in [
            "recommend --user 1", "registry list --registry R", "registry show", "recommend --user 1 --json", "--help",
            "serve --help", "help registry", "--version",
        ] {
            let words = command.replacing("R", with: made.registry).split(separator: " ").map(String.init)
            let options = command.contains("--user") || command == "registry show" ? made.options : []
            let run = try BuiltBinary.runProgram(
                "/bin/sh", ["-c", "exec \"$@\" >/dev/full", "sh", BuiltBinary.path] + words + options, seconds: 30)
            #expect(run.exitCode == 74, "\(command): \(run.errors)")
        }
    }

    @Test("what is printed to a closed descriptor goes into no file that is opened later") func closedOutput() throws {
        let rejects = directory.file("closed-rejects.csv")
        let run = try BuiltBinary.runProgram(
            "/bin/sh",
            [
                "-c", "exec \"$@\" >&-", "sh", BuiltBinary.path, "train", "--orders", made.orders, "--registry",
                directory.file("closed"), "--model", "m", "--factors", "4", "--iterations", "1", "--rejects", rejects,
                "--json",
            ], seconds: 60)
        #expect(run.exitCode == 74, "\(run.errors)")
        #expect(try !String(contentsOfFile: rejects, encoding: .utf8).contains("\"version\""))
        #expect(run.errors.contains("The work is done: m version 1 is published"), "\(run.errors)")
    }

    @Test("what is done although nothing could be printed is said") func doneAllTheSame() throws {
        let copy = directory.file("done")
        try FileManager.default.copyItem(atPath: made.registry, toPath: copy)
        for (command, done) in [
            ("promote --version 1 --alias spare", "room-service spare is version 1"),
            ("prune --keep 1", "nothing to remove"),
        ] {
            let words = ["registry"] + command.split(separator: " ").map(String.init)
            let run = try BuiltBinary.runProgram(
                "/bin/sh",
                ["-c", "exec \"$@\" >&-", "sh", BuiltBinary.path] + words
                    + ["--registry", copy, "--model", "room-service"], seconds: 60)
            #expect(run.exitCode == 74, "\(run.errors)")
            #expect(run.errors.contains("The work is done: \(done)"), "\(run.errors)")
        }
        let aliases = try String(contentsOfFile: "\(copy)/room-service/aliases.json", encoding: .utf8)
        #expect(aliases.contains("\"spare\":1"), "\(aliases)")
    }

    @Test("a registry that cannot be made is said before the training, not after") func unusableRegistry() throws {
        let file = try directory.write(Data("x".utf8), as: "file")
        let run = try BuiltBinary.run(["train", "--orders", made.orders, "--registry", file, "--model", "m"])
        #expect(run.exitCode == 74, "\(run.errors)")
        #expect(!run.errors.contains("iterations"), "\(run.errors)")
    }

    @Test("control characters of an id do not reach the terminal") func terminal() throws {
        let run = try BuiltBinary.run(["recommend", "--user", "a\u{1B}[31m\nb", "-k", "1"] + made.options)
        #expect(run.output.contains("user a·[31m·b,"), "\(run.output)")
        #expect(!run.output.contains("\u{1B}"))
    }

    @Test("options come from the environment, the command line wins, and a bad value is 64") func environment() throws {
        let environment = ["NEXTLOOP_REGISTRY": made.registry, "NEXTLOOP_MODEL": "room-service", "NEXTLOOP_K": "4"]
        let byEnvironment = try BuiltBinary.run(
            ["recommend", "--user", made.guest, "--json"], environment: environment)
        #expect(try RecommendationAnswer(byEnvironment.output).items.count == 4, "\(byEnvironment.errors)")
        let byOption = try BuiltBinary.run(
            ["recommend", "--user", made.guest, "--json", "-k", "2"], environment: environment)
        #expect(try RecommendationAnswer(byOption.output).items.count == 2)
        let flag = try BuiltBinary.run(
            ["recommend", "--user", made.guest], environment: environment.merging(["NEXTLOOP_JSON": "true"]) { $1 })
        #expect(flag.output.hasPrefix("{"))
        let list = try BuiltBinary.run(
            ["recommend", "--user", made.guest, "--json"],
            environment: environment.merging(["NEXTLOOP_HOTEL": "none:\(made.hotel)"]) { $1 })
        #expect(try RecommendationAnswer(list.output).items.count == 4, "\(list.errors)")
        let rival = try BuiltBinary.run(
            ["recommend", "--user", made.guest, "--version", "1"],
            environment: environment.merging(["NEXTLOOP_ALIAS": "production"]) { $1 })
        #expect(rival.exitCode == 0, "\(rival.errors)")
        let unclear = try BuiltBinary.run(
            ["recommend", "--user", made.guest], environment: environment.merging(["NEXTLOOP_JSON": "maybe"]) { $1 })
        #expect(unclear.exitCode == 64)
        #expect(unclear.errors.contains("NEXTLOOP_JSON is 'maybe'"))
        let help = try BuiltBinary.run(["recommend", "--help"], environment: environment)
        #expect(help.exitCode == 0 && help.errors.isEmpty)
        let bad = try BuiltBinary.run(
            ["recommend", "--user", made.guest], environment: environment.merging(["NEXTLOOP_K": "many"]) { $1 })
        #expect(bad.exitCode == 64)
        #expect(bad.errors.contains("NEXTLOOP_K"))
    }
}
