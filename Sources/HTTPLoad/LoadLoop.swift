import CLinux
import Glibc

/// The event loop of one thread: keeps its connections open, sends what is due, counts what comes back.
///
/// Latency is counted from the time at which a request was *due*. In a closed loop that is when it is sent. In an open loop it is its
/// place in a constant schedule: a server that stalls for a second makes every request that fell due in that second
/// late by what was left of it, and all of that shows (Gil Tene's "coordinated omission" is leaving it out).
final class LoadLoop: @unchecked Sendable {  // Sendable: handed to one thread, and read after that was joined.
    let plan: LoadPlan
    let poll: ClientPoll
    var connections: [LoadConnection] = []
    /// The number of the newest socket of each connection: events of an older one are passed over.
    var socketNumbers: [UInt32]
    var versions = VersionList()
    /// One for each interval; one in all without a timeline.
    var tallies = [LoadTally()]
    /// The last answer's time, or that of the last loss.
    private(set) var lastOutcome: UInt64 = 0

    private var start: UInt64 = 0
    private var end: UInt64 = 0
    private let thread: Int
    private var issuesLeft: Int
    private var nextRequest: Int
    private var arrivals: Arrivals?
    /// Open loop: when the requests were due that no connection was free for.
    private var backlog = Queue<UInt64>()
    /// Open loop: connections with room for a request, longest-waiting first.
    private var roomy = Queue<Int>()
    /// Connections to open again, and not before when.
    var retries = Queue<(connection: Int, time: UInt64)>()
    private var buffer = [UInt8](repeating: 0, count: 2 * AnswerReader.lineBytesMax + receiveBytes)
    private var waiting = 0

    private static let receiveBytes = 64 * 1024
    /// The last stretch before an arrival is spun through: a sleeping thread wakes some 50 µs late.
    private static let spinNanoseconds: UInt64 = 100_000
    private static let retryNanoseconds: UInt64 = 10_000_000

    init(_ plan: LoadPlan, thread: Int) throws(ClientSocket.Failure) {
        self.plan = plan
        self.thread = thread
        poll = try ClientPoll()
        let share = { (total: Int) in total * (thread + 1) / plan.threads - total * thread / plan.threads }
        issuesLeft = plan.requestsMax.map(share) ?? Int.max
        nextRequest = plan.script.count * thread / plan.threads
        let count = share(plan.connections)
        socketNumbers = [UInt32](repeating: 0, count: count)
        for _ in 0..<count {
            connections.append(LoadConnection(pipeline: plan.pipeline, bodyless: plan.script.isHead))
        }
        // Before the clock starts: a benchmark of connections that stand.
        for index in connections.indices { try openNow(index) }
    }

    // MARK: The loop

    func run(start: UInt64) {
        self.start = start
        end = start + plan.duration.nanoseconds
        lastOutcome = start
        if let rate = plan.requestsPerSecond {
            arrivals = Arrivals(start: start, rate: rate, thread: thread, threads: plan.threads)
        }
        while clinux_monotonic_nanoseconds() < start {}
        for index in connections.indices { ask(index, clinux_monotonic_nanoseconds()) }
        let scanApart = min(plan.timeout.nanoseconds / 10, 100_000_000)
        var nextScan = start + scanApart
        while true {
            let time = clinux_monotonic_nanoseconds()
            release(time)
            while let retry = retries.first, retry.time <= time {
                _ = retries.popFirst()
                if mayAsk(time) { open(retry.connection, time) }
            }
            if time >= nextScan {
                expire(time)
                nextScan = time + scanApart
            }
            if waiting == 0, backlog.isEmpty, !mayAsk(time) { return }
            var until = min(nextScan, retries.first?.time ?? nextScan)
            if let next = arrivals?.next, mayAsk(time) { until = min(until, next - Self.spinNanoseconds) }
            for index in 0..<poll.wait(until: until) { handle(poll.event(index)) }
        }
    }

    private func handle(_ event: ClientPoll.Event) {
        let index = event.connection
        guard event.socket == socketNumbers[index] else { return }
        let connection = connections[index]
        if connection.state == .connecting {
            if event.isWritable || event.isReadable { finishOpening(index, clinux_monotonic_nanoseconds()) }
            return
        }
        if event.isReadable { receive(index) }
        if event.isWritable, connection.state == .open, event.socket == socketNumbers[index] { flush(index) }
    }

    /// Whether requests may still fall due.
    func mayAsk(_ time: UInt64) -> Bool { (time < end && issuesLeft > 0) || !backlog.isEmpty }

    // MARK: Asking

    /// Open loop: puts what fell due into the backlog and sends as much of it as connections are free for.
    private func release(_ time: UInt64) {
        guard arrivals != nil else { return }
        while let due = arrivals?.next, due <= time, due < end, issuesLeft > 0 {
            backlog.append(due)
            arrivals?.take()
            issuesLeft -= 1
        }
        while let due = backlog.first, let index = roomy.popFirst() {
            connections[index].isListed = false
            guard connections[index].room > 0 else { continue }
            _ = backlog.popFirst()
            enqueue(index, count: 1, due: due)
            list(index)
            flush(index)
        }
    }

    /// Closed loop: fills the connection's room. Open loop: puts the connection in line.
    func ask(_ index: Int, _ time: UInt64) {
        if plan.requestsPerSecond != nil {
            list(index)
            return
        }
        guard time < end else { return }
        let count = min(connections[index].room, issuesLeft)
        guard count > 0 else { return }
        issuesLeft -= count
        enqueue(index, count: count, due: time)
        flush(index)
    }

    private func list(_ index: Int) {
        let connection = connections[index]
        guard connection.room > 0, !connection.isListed else { return }
        connection.isListed = true
        roomy.append(index)
    }

    private func enqueue(_ index: Int, count: Int, due: UInt64) {
        let connection = connections[index]
        var left = count
        while left > 0 {
            let stretch = min(left, plan.script.count - nextRequest)
            connection.enqueue(plan.script.range(of: nextRequest..<nextRequest + stretch))
            nextRequest = (nextRequest + stretch) % plan.script.count
            left -= stretch
        }
        for _ in 0..<count { connection.ask(due: due) }
        waiting += count
    }

    private func flush(_ index: Int) {
        let connection = connections[index]
        do throws(ClientSocket.Failure) {
            let isDone = try connection.flush(plan.script.bytes)
            if connection.isAwaitingRoom != !isDone {
                connection.isAwaitingRoom = !isDone
                poll.modify(
                    connection.descriptor, writing: !isDone, connection: index, socket: socketNumbers[index])
            }
        } catch {
            // Answers may have come before the server closed: they count.
            let socket = socketNumbers[index]
            while connection.state == .open, socket == socketNumbers[index] {
                if !receive(index) { lose(index, .reset) }
            }
        }
    }

    // MARK: Answers

    /// Reads once and counts the answers.
    ///
    /// - Returns: false when nothing was there to read.
    @discardableResult
    private func receive(_ index: Int) -> Bool {
        let connection = connections[index]
        let heldCount = connection.held.count
        for place in 0..<heldCount { buffer[place] = connection.held[place] }
        let transfer = connection.receive(into: &buffer, at: heldCount, bytesMax: Self.receiveBytes)
        let time = clinux_monotonic_nanoseconds()
        switch transfer {
        case .blocked: return false
        case .failed: lose(index, .reset)
        case .end:
            if let answer = connection.reader.end() { count(connection, answer, time) }
            lose(index, .closed)
        case .bytes(let received):
            tallies[interval(time)].bytesReceived += received
            do throws(AnswerReader.Malformed) {
                try read(connection, heldCount + received, time)
                if connection.isClosing, connection.waiting == 0 {
                    lose(index, .closed)
                } else {
                    ask(index, time)
                }
            } catch {
                lose(index, .malformed)
            }
        }
        return true
    }

    private func read(_ connection: LoadConnection, _ byteCount: Int, _ time: UInt64) throws(AnswerReader.Malformed) {
        let received = buffer  // A reference, gone before the next read writes to it: nothing is copied.
        let bytes = received.span.extracting(0..<byteCount)
        var offset = 0
        while let answer = try connection.reader.next(bytes, &offset, &versions) {
            guard count(connection, answer, time) else { throw AnswerReader.Malformed() }
        }
        connection.held.removeAll(keepingCapacity: true)
        if offset < byteCount { connection.held.append(contentsOf: received[offset..<byteCount]) }
    }

    /// - Returns: false when nobody had asked.
    @discardableResult
    private func count(_ connection: LoadConnection, _ answer: AnswerReader.Answer, _ time: UInt64) -> Bool {
        guard let due = connection.takeDue() else { return false }
        waiting -= 1
        if answer.closes { connection.isClosing = true }
        tallies[interval(time)].record(
            status: answer.status, version: answer.version, nanoseconds: elapsed(due, time))
        lastOutcome = time
        return true
    }

    /// The tally that a time belongs to.
    func interval(_ time: UInt64) -> Int {
        guard let length = plan.interval?.nanoseconds, time > start else { return 0 }
        let place = min(Int((time - start) / length), LoadPlan.intervalsMax - 1)
        while tallies.count <= place { tallies.append(LoadTally()) }
        return place
    }

    // MARK: Losses

    /// Gives the connection up, counts what it still owed, and opens another if one is needed.
    func lose(_ index: Int, _ cause: Unanswered) {
        let connection = connections[index]
        let time = clinux_monotonic_nanoseconds()
        let isUntouched = connection.held.isEmpty && connection.reader.isBetweenAnswers
        let isReused = connection.answered > 0 && isUntouched && !connection.isClosing
        let wasClosing = connection.isClosing
        let lost = connection.close()
        waiting -= lost
        let place = interval(time)
        if lost > 0 {
            tallies[place].unanswered[cause.rawValue] += lost
            if isReused, cause == .closed || cause == .reset { tallies[place].unansweredOnReused += lost }
            lastOutcome = time
        } else if wasClosing {
            tallies[place].closedAnnounced += 1
        } else {
            tallies[place].closedIdle += 1
        }
        if mayAsk(time) { open(index, time) }
    }

    func connectFailed(_ index: Int, _ time: UInt64) {
        _ = connections[index].close()
        tallies[interval(time)].connectFailures += 1
        retries.append((connection: index, time: time + Self.retryNanoseconds))
    }

    /// Counts the requests that have waited too long and gives their connections up.
    private func expire(_ time: UInt64) {
        let timeout = plan.timeout.nanoseconds
        for index in connections.indices {
            let connection = connections[index]
            if let due = connection.oldestDue, elapsed(due, time) > timeout { lose(index, .timedOut) }
            if connection.state == .connecting, elapsed(connection.connectingSince, time) > timeout {
                connectFailed(index, time)
            }
        }
        while let due = backlog.first, elapsed(due, time) > timeout {
            _ = backlog.popFirst()
            tallies[interval(time)].unanswered[Unanswered.unsent.rawValue] += 1
            lastOutcome = time
        }
    }
}

/// Nanoseconds between two readings of the clock; none when the second was made earlier than the first.
private func elapsed(_ from: UInt64, _ to: UInt64) -> UInt64 { to > from ? to - from : 0 }
