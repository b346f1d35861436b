import Foundation
import TestSupport
import Testing

@Suite("nextloop import, through the built binary") struct ImportTests {
    let directory: TemporaryDirectory
    let options: [String]

    init() throws {
        directory = try TemporaryDirectory()
        options = ["--registry", directory.file("models"), "--model", "m"]
    }

    private func importArrays(_ more: [String] = []) throws -> BuiltBinary.Result {
        try BuiltBinary.run(
            [
                "import", "--user-factors", directory.file("X.npy"), "--item-factors", directory.file("Y.npy"),
                "--user-ids", directory.file("users.txt"), "--item-ids", directory.file("items.txt"),
                "--items", directory.file("items.csv"), "--interactions", directory.file("interactions.csv"),
            ] + options + more)
    }

    private func makeArrays(_ more: String...) throws {
        let run = try BuiltBinary.oracle("make_npy.py", [directory.path] + more)
        try #require(run.exitCode == 0, "\(run.errors)")
    }

    @Test(
        "arrays of every type and order that NumPy writes become the same model",
        arguments: [
            ["--dtype", "float32"], ["--dtype", "float64"], ["--order", "F"], ["--npy-version", "2.0"],
            ["--npy-version", "3.0", "--dtype", "float64", "--order", "F"],
        ])
    func arrays(arguments: [String]) throws {
        let made = try BuiltBinary.oracle("make_npy.py", [directory.path] + arguments)
        try #require(made.exitCode == 0, "\(made.errors)")
        let run = try importArrays(["--promote", "production"])
        try #require(run.exitCode == 0, "\(run.errors)")
        #expect(run.output == "1\n")
        let asked = try BuiltBinary.run(["recommend", "--user", "1000", "--json", "-k", "60"] + options)
        let answer = try RecommendationAnswer(asked.output)
        #expect(answer.items.count == 60)
        #expect(
            answer.items.contains { $0.name == "The \"house\" burger" }
                && answer.items.contains { $0.name == "Two\nlines" })
        let oracle = try BuiltBinary.oracle(
            "bruteforce_topk.py", [directory.file("models/m/1/model.safetensors"), "--users", "1000", "--k", "60"])
        let expected = try #require(
            try JSONSerialization.jsonObject(with: Data(oracle.output.utf8)) as? [String: [String: [String: Any]]])
        #expect(answer.items.map(\.itemID) == expected["users"]?["1000"]?["items"] as? [String])
    }

    @Test("a file saved by the library implicit becomes a model that answers", arguments: ["float32", "float64"])
    func implicit(type: String) throws {
        let made = try BuiltBinary.oracle("make_implicit_npz.py", [directory.file("als.npz"), "--dtype", type])
        try #require(made.exitCode == 0, "\(made.errors)")
        let run = try BuiltBinary.run(
            [
                "import", "--implicit", directory.file("als.npz"), "--user-ids", directory.file("als.users.txt"),
                "--item-ids", directory.file("als.items.txt"), "--interactions", directory.file("als.interactions.csv"),
                "--promote", "production",
            ] + options)
        try #require(run.exitCode == 0, "\(run.errors)")
        let server = try RunningServer(options)
        let answer = try RecommendationAnswer(try server.get("/recommend?user_id=u3&k=5&exclude_seen=true").text)
        #expect(answer.strategy == "als")
        #expect(answer.items.count == 5)
        #expect(try server.get("/model/info").text.contains("\"algorithm\" : \"ALS by the Python library implicit\""))
    }

    @Test(
        "what does not fit is 65 and names file, line, got and wanted; nothing is published",
        arguments: [
            ("users.txt", "1\n", "rows in"), ("items.txt", "300\n300\n", "line 2"), ("X.npy", "rubbish", "X.npy"),
            ("items.csv", "item_id,name\n300,x\n", "items.csv"),
            ("interactions.csv", "user_id,item_id,value\n1000,nope,1\n", "line 2"),
            ("interactions.csv", "user_id,item_id,value\n1000,300,-1\n", "line 2"),
        ])
    func misfits(file: String, contents: String, message: String) throws {
        try makeArrays()
        _ = try directory.write(Data(contents.utf8), as: file)
        let run = try importArrays()
        #expect(run.exitCode == 65, "\(run.errors)")
        #expect(run.errors.contains(message), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: directory.file("models/m/1")))
    }

    @Test("a type that is no number, or big-endian, is refused with a way out", arguments: [">f4", "complex64"])
    func types(type: String) throws {
        try makeArrays("--dtype", type)
        let run = try importArrays()
        #expect(run.exitCode == 65, "\(run.errors)")
        #expect(run.errors.contains("wanted"))
    }

    @Test("a missing file is 66, half a set of options is 64") func usage() throws {
        #expect(try importArrays().exitCode == 66)
        let half = try BuiltBinary.run(
            ["import", "--user-factors", "x", "--user-ids", "x", "--item-ids", "x"] + options)
        #expect(half.exitCode == 64)
        #expect(half.errors.contains("--implicit"))
    }
}
