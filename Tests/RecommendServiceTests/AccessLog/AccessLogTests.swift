import Foundation
import HTTPMessages
import Synchronization
import TestSupport
import Testing

@testable import RecommendService

/// What a log said to the operator.
private final class Events: Sendable {
    private let list = Mutex<[AccessLogEvent]>([])
    var all: [AccessLogEvent] { list.withLock { $0 } }
    func add(_ event: AccessLogEvent) { list.withLock { $0.append(event) } }
}

@Suite("Access log") struct AccessLogTests {
    private let directory: TemporaryDirectory
    private let events = Events()
    private var path: String { directory.file("access.log") }

    init() throws { directory = try TemporaryDirectory() }

    private func open(
        _ destination: AccessLogDestination? = nil, loops: Int = 1, ringBytes: Int = 1 << 16
    ) throws -> AccessLog {
        var settings = AccessLogSettings(destination: destination ?? .file(path))
        settings.ringBytes = ringBytes
        return try AccessLog(settings, loops: loops) { [events] in events.add($0) }
    }

    /// Logs a request whose id is its number.
    private func log(_ number: Int, _ lines: AccessLines) {
        lines.write(AccessEntry(), requestID: Array("\(number)".utf8))
    }

    /// The numbers in a text of whole lines; nil when a line is none.
    private func numbers(_ text: String) -> [Int]? {
        guard text.isEmpty || text.hasSuffix("\n") else { return nil }
        var numbers: [Int] = []
        for line in text.split(separator: "\n") {
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard let id = object?["request_id"] as? String, let number = Int(id) else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    private func numbers(at path: String) -> [Int]? {
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { numbers($0) }
    }

    /// Waits, at most ten seconds, until `condition` holds.
    private func wait(_ condition: () -> Bool) -> Bool {
        for _ in 0..<1000 {
            if condition() { return true }
            usleep(10_000)
        }
        return condition()
    }

    // MARK: Files

    @Test("what every loop logged is in the file, whole and in order, when the log has ended")
    func ends() throws {
        let log = try open(loops: 2)
        let lines = [log.lines(of: 0), log.lines(of: 1)]
        for number in 0..<200 { self.log(number, lines[number % 2]) }
        #expect(log.end(within: .seconds(10)))
        let found = try #require(numbers(at: path))
        #expect(found.sorted() == Array(0..<200))
        #expect(found.filter { $0 % 2 == 0 } == Array(stride(from: 0, to: 200, by: 2)))
        #expect(log.lineCounts == (200, 0))
        #expect(events.all.isEmpty)
    }

    @Test("a line is in the file soon, without another one or an end")
    func isPrompt() throws {
        let log = try open()
        let lines = log.lines(of: 0)
        for number in 0..<3 {
            self.log(number, lines)
            #expect(wait { numbers(at: path) == Array(0...number) })
        }
        #expect(log.end(within: .seconds(10)))
    }

    @Test("an old file is appended to, a new one is not for everybody to read")
    func appends() throws {
        for number in 0..<2 {
            let log = try open()
            self.log(number, log.lines(of: 0))
            #expect(log.end(within: .seconds(10)))
        }
        #expect(numbers(at: path) == [0, 1])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect((mode ?? 0o777) & 0o137 == 0)
    }

    @Test("reopening after a rename loses and doubles no line, and each file begins and ends with a whole one")
    func rotates() throws {
        let log = try open(ringBytes: 1 << 20)
        let lines = log.lines(of: 0)
        self.log(0, lines)
        #expect(wait { numbers(at: path) == [0] })
        var count = 1
        for turn in 0..<20 {
            for _ in 0..<50 {
                self.log(count, lines)
                count += 1
            }
            try FileManager.default.moveItem(atPath: path, toPath: path + ".\(turn)")
            try log.reopen()
        }
        #expect(log.end(within: .seconds(10)))
        let files = (0..<20).map { path + ".\($0)" } + [path]
        #expect(files.flatMap { numbers(at: $0) ?? [-1] } == Array(0..<count))
        #expect(events.all.contains(.reopened(.file(path))))
    }

    @Test("a reopening that fails leaves the log as it is")
    func reopenFails() throws {
        let log = try open()
        let lines = log.lines(of: 0)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: AccessLogError(destination: .file(path), code: EISDIR)) { try log.reopen() }
        self.log(0, lines)
        #expect(log.end(within: .seconds(10)))
        #expect(numbers(at: path + ".1") == [0])
    }

    @Test("what cannot be opened is an error that says why")
    func unopenable() throws {
        #expect(throws: AccessLogError(destination: .file("/nowhere/access.log"), code: ENOENT)) {
            try open(.file("/nowhere/access.log"))
        }
        let fifo = directory.file("fifo")
        try makeFIFO(fifo)
        let error = #expect(throws: AccessLogError.self) { try open(.file(fifo)) }
        #expect(error?.description.contains("a FIFO that nobody reads") == true)
    }

    @Test("a full disk is told of once, and costs the lines that find no room")
    func fullDisk() throws {
        let log = try open(.file("/dev/full"))
        let lines = log.lines(of: 0)
        for number in 0..<2000 { self.log(number, lines) }
        #expect(wait { !events.all.isEmpty })
        #expect(events.all.first == .failed(AccessLogError(destination: .file("/dev/full"), code: ENOSPC)))
        for number in 0..<2000 { self.log(number, lines) }
        let counts = log.lineCounts
        #expect(counts.logged + counts.dropped == 4000 && counts.dropped > 1000)
        #expect(!log.end(within: .milliseconds(50)))
        #expect(events.all.filter { if case .failed = $0 { true } else { false } }.count == 1)
    }

    // MARK: Pipes

    private func makeFIFO(_ path: String) throws {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let made = unsafe mkfifo(path, 0o600)
        try #require(made == 0)
    }

    /// A FIFO whose reader, this test, has it open and reads when it likes.
    private func fifo() throws -> Int32 {
        try makeFIFO(path)
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let reader = unsafe Glibc.open(path, O_RDONLY | O_NONBLOCK)
        try #require(reader >= 0)
        return reader
    }

    private func read(_ descriptor: Int32) -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            // SAFETY: at most the array's bytes are written.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { return String(decoding: text, as: UTF8.self) }
            text += chunk[..<count]
        }
    }

    @Test("a reader that stalls costs lines, and gets whole ones in order when it reads on")
    func stalls() throws {
        let reader = try fifo()
        defer { close(reader) }
        let log = try open()
        let lines = log.lines(of: 0)
        for number in 0..<10_000 { self.log(number, lines) }
        let dropped = log.lineCounts.dropped
        #expect(dropped > 5000)
        var received = ""
        #expect(
            wait {
                received += read(reader)
                return received.split(separator: "\n").count == 10_000 - dropped
            })
        for number in 10_000..<10_010 { self.log(number, lines) }
        #expect(
            wait {
                received += read(reader)
                return received.split(separator: "\n").count == 10_010 - dropped
            })
        #expect(log.end(within: .seconds(10)))
        let found = try #require(numbers(received))
        #expect(zip(found, found.dropFirst()).allSatisfy(<) && found.last == 10_009)
        let told = events.all.map { if case .dropped(let count) = $0 { count } else { 0 } }
        #expect(told.reduce(0, +) == dropped && !told.contains(0))
    }

    @Test("a reader that stalls for ever does not hold up the end")
    func stallsAtTheEnd() throws {
        let reader = try fifo()
        let log = try open()
        let lines = log.lines(of: 0)
        for number in 0..<1000 { self.log(number, lines) }
        #expect(!log.end(within: .milliseconds(100)))
        _ = read(reader)
        close(reader)
    }

    @Test("a reader that goes away is told of; the next one gets whole lines")
    func readerLeaves() throws {
        let first = try fifo()
        let log = try open()
        let lines = log.lines(of: 0)
        self.log(0, lines)
        var received = ""
        #expect(
            wait {
                received += read(first)
                return received.contains("\n")
            })
        close(first)
        self.log(1, lines)
        #expect(wait { events.all == [.failed(AccessLogError(destination: .file(path), code: EPIPE))] })
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let second = unsafe Glibc.open(path, O_RDONLY | O_NONBLOCK)
        defer { close(second) }
        received = ""
        #expect(
            wait {
                received += read(second)
                return received.contains("\n")
            })
        #expect(numbers(received) == [1])
        #expect(events.all.last == .recovered(.file(path)))
        #expect(log.end(within: .seconds(10)))
    }

    @Test("only slow requests, and those that were refused or failed, when that is asked for")
    func threshold() throws {
        var settings = AccessLogSettings(destination: .file(path))
        settings.slowerThanNanoseconds = 1_000_000
        let log = try AccessLog(settings, loops: 1) { _ in }
        let lines = log.lines(of: 0)
        for (number, request) in [(999_999, 200), (1_000_000, 200), (1, 399), (1, 400), (1, 503)].enumerated() {
            var entry = AccessEntry()
            entry.nanoseconds = UInt64(request.0)
            entry.status = request.1
            lines.write(entry, requestID: Array("\(number)".utf8))
        }
        #expect(log.end(within: .seconds(10)))
        #expect(numbers(at: path) == [1, 3, 4])
    }
}
