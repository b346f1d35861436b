import FactorModel
import Foundation
import ModelRegistry
import Synchronization
import TestSupport
import Testing

/// The built binary, with a system call of its that fails or ends the process: each n-th call in turn (Tests/FaultyCalls). What
/// is left must be the registry before or after the command, and the next command must work.
///
/// One after another: hundreds of runs that wait for a process must not keep other tests from the threads they share.
@Suite("Registry commands under faults, through the built binary", .serialized)
struct RegistryFaultTests {
    /// What a command may leave: versions, and what production names.
    struct View: Hashable {
        let versions: [Int]
        let production: Int
    }

    struct Command: Sendable, CustomTestStringConvertible {
        let name: String
        let arguments: [String]
        /// What may be seen after; before, there are versions 1 to 4, and production was 2 and is 3.
        let after: [View]
        var testDescription: String { name }
    }

    private static let before = View(versions: [1, 2, 3, 4], production: 3)
    static let commands = [
        Command(
            name: "import", arguments: ["import", "--promote", "production"],
            after: [View(versions: [1, 2, 3, 4, 5], production: 3), View(versions: [1, 2, 3, 4, 5], production: 5)]),
        Command(
            name: "promote", arguments: ["registry", "promote", "--version", "4", "--alias", "production"],
            after: [View(versions: [1, 2, 3, 4], production: 4)]),
        Command(
            name: "rollback", arguments: ["registry", "rollback"],
            after: [View(versions: [1, 2, 3, 4], production: 2)]),
        Command(
            name: "prune", arguments: ["registry", "prune", "--keep", "1", "--grace-seconds", "0"],
            after: [View(versions: [2, 3, 4], production: 3)]),
    ]

    private let directory: TemporaryDirectory
    private let template: String
    private let factors: [String]

    init() throws {
        directory = try TemporaryDirectory(inMemory: true)
        template = directory.file("template")
        let ids = try directory.write(Data("1\n2\n".utf8), as: "ids")
        factors = [
            "--user-factors", try directory.write(Self.npy, as: "users.npy"),
            "--item-factors", try directory.write(Self.npy, as: "items.npy"), "--user-ids", ids, "--item-ids", ids,
        ]
        for promoted in [false, true, true, false] {
            let run = try BuiltBinary.run(
                ["import"] + options(template) + factors + (promoted ? ["--promote", "production"] : []))
            try #require(run.exitCode == 0, "\(run.errors)")
        }
    }

    /// A NumPy file of a [2 × 2] matrix: 1, 2, 3, 4.
    private static var npy: Data {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
        let header = text.padding(toLength: 117, withPad: " ", startingAt: 0) + "\n"
        var data = Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, UInt8(header.utf8.count), 0]) + Data(header.utf8)
        for value in [1, 2, 3, 4] as [Float] {
            for byte in 0..<4 { data.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * byte))) }
        }
        return data
    }

    private func options(_ registry: String) -> [String] { ["--registry", registry, "--model", "m"] }

    private static var library: String {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return directory.appending(path: "libFaultyCalls.so").path(percentEncoded: false)
    }

    /// Runs a command on a copy of the template with a fault, and returns how it ended and how many calls there were.
    private func run(
        _ command: Command, on registry: String, nth: String?, how: String, calls: String
    ) throws -> (BuiltBinary.Result, callCount: Int) {
        try? FileManager.default.removeItem(atPath: registry)
        try FileManager.default.copyItem(atPath: template, toPath: registry)
        let count = directory.file("count")
        var environment = [
            "LD_PRELOAD": Self.library, "FAULTY_CALLS": calls, "FAULTY_HOW": how, "FAULTY_ONLY": registry,
            "FAULTY_COUNT": count,
        ]
        if let nth { environment["FAULTY_NTH"] = nth }
        let more = command.name == "import" ? factors : []
        let result = try BuiltBinary.run(
            command.arguments + options(registry) + more, environment: environment, seconds: 60)
        let words = try String(contentsOfFile: count, encoding: .utf8).split(separator: " ")
        return (result, callCount: Int(words[1]) ?? 0)
    }

    private func look(_ path: String) throws -> View {
        let registry = Registry(path: path)
        let versions = try registry.versions(of: "m")
        for version in versions { try registry.verify("m", version: version) }
        _ = try registry.aliasHistory(of: "m")
        return View(versions: versions, production: try registry.resolve("m", .alias("production")))
    }

    /// The next publisher, in this process; returns its version.
    private func publish(_ path: String) throws -> Int {
        let ids = ["1", "2"]
        let contents = ModelContents(
            userIDs: ids,
            catalogue: Catalogue(
                itemIDs: ids, names: ["", ""], prices: [nil, nil], departmentIDs: [nil, nil], hotelIDs: [],
                hotelItems: []),
            factors: Factors(factorCount: 2, userFactors: [1, 2, 3, 4], itemFactors: [1, 2, 3, 4]),
            interactions: InteractionMatrix(rowCount: 2, columnCount: 2, indptr: [0, 0, 0], indices: [], values: []),
            itemPopularity: [0, 0])
        return try Registry(path: path).publish(
            model: "m", contents: contents,
            manifest: ManifestDraft(lineage: LineageRecord(command: "test", build: "0", sources: [])))
    }

    /// What is in the model's directory beside versions.
    private func others(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/m").filter { Int($0) == nil }.sorted()
    }

    private static let tidy = [".lock", "aliases.json", "aliases.log", "last-version"]
    /// Those that change something: dying before a look is dying before the next change.
    private static let changes = "mkdir,open,write,fsync,rename,unlink,rmdir,flock"

    @Test(
        "a process that dies at any call leaves the state before or after, and the next commands work",
        arguments: commands)
    func crash(command: Command) throws {
        let registry = directory.file("models")
        var seen: Set<View> = []
        var nth = 1
        while true {
            let (result, callCount) = try run(
                command, on: registry, nth: "\(nth)", how: "exit:70", calls: Self.changes)
            let view = try look(registry)
            seen.insert(view)
            #expect(view == Self.before || command.after.contains(view), "call \(nth): \(view)")
            guard callCount >= nth else {
                #expect(result.exitCode == 0 && view == command.after.last, "\(result.errors)")
                break
            }
            #expect(result.exitCode == 70, "call \(nth): \(result.errors)")
            let next = try publish(registry)
            #expect(next > (view.versions.last ?? 0), "call \(nth)")
            try Registry(path: registry).promote("m", version: next, alias: "other")
            #expect(try others(registry) == Self.tidy, "call \(nth)")
            nth += 1
        }
        #expect(seen == Set(command.after + [Self.before]) && nth > 10)
    }

    @Test(
        "a call that fails, once or from then on, is an error with its reason, or does no harm", arguments: commands,
        ["EIO", "ENOSPC"])
    func failure(command: Command, error: String) throws {
        let registry = directory.file("models")
        // A full disk stays full: every write after it fails as well, and tidying up still works.
        let isFull = error == "ENOSPC"
        let calls = isFull ? "write,mkdir,fsync" : "\(Self.changes),read,stat,lstat,fstat,opendir,mmap"
        var nth = 1
        while true {
            let (result, callCount) = try run(
                command, on: registry, nth: isFull ? "\(nth)+" : "\(nth)", how: error, calls: calls)
            let view = try look(registry)
            #expect(view == Self.before || command.after.contains(view), "call \(nth): \(view)")
            guard callCount >= nth else {
                #expect(result.exitCode == 0, "\(result.errors)")
                break
            }
            #expect([0, 74].contains(result.exitCode), "call \(nth): \(result.exitCode) \(result.errors)")
            if result.exitCode != 0 { #expect(result.errors.contains(registry), "call \(nth): \(result.errors)") }
            if isFull { #expect(try others(registry).filter { $0.hasSuffix(".new") || $0.hasPrefix(".tmp") } == []) }
            #expect(try publish(registry) > (view.versions.last ?? 0), "call \(nth)")
            #expect(try others(registry).filter { $0.hasPrefix(".tmp") || $0.hasPrefix(".trash") } == [], "call \(nth)")
            nth += 1
        }
        #expect(nth > 1)
    }

    @Test(
        "many processes that publish, promote and prune at once: every number is one of its own, the history is whole")
    func manyProcesses() throws {
        let registry = directory.file("models")
        try FileManager.default.copyItem(atPath: template, toPath: registry)
        let (options, factors) = (options(registry), factors)
        let runs = Mutex<[BuiltBinary.Result]>([])
        DispatchQueue.concurrentPerform(iterations: 24) { place in
            let arguments =
                place % 4 == 3
                ? ["registry", "prune", "--keep", "2", "--grace-seconds", "0"]
                : ["import", "--promote", "production"] + factors
            guard let run = try? BuiltBinary.run(arguments + options) else { return }
            runs.withLock { $0.append(run) }
        }
        let results = runs.withLock { $0 }
        #expect(results.count == 24)
        for result in results {
            #expect(result.exitCode == 0 || result.errors.contains("is published but not promoted"))
        }
        let numbers = results.compactMap { Int($0.output.split(separator: "\n").last ?? "") }
        #expect(Set(numbers).count == numbers.count && numbers.allSatisfy { (5...22).contains($0) })
        let changes = try Registry(path: registry).aliasHistory(of: "m")
        for (one, next) in zip(changes, changes.dropFirst()) { #expect(next.from == one.to) }
        #expect(try look(registry).production == changes.last?.to)
        #expect(try others(registry) == Self.tidy)
    }
}
