import HTTPMessages

/// Which TLS handshakes a loop gets on with in a turn, and who waits for the next.
///
/// A step of a handshake that signs costs as much as a hundred requests, and anybody can ask for one with a hundred bytes. So of
/// each turn's clients a few are led on, and the others stand in line, first come, first served, while the requests of
/// established connections are answered between the turns: a flood of handshakes delays a request by one turn's share of them. The line of
/// newcomers is bounded; who comes when it is full is closed.
///
/// Who has begun has been signed for, which is not to be thrown away: it stands in a line of its own, which nothing but the bound on
/// connections bounds, and which is called in turn with that of the newcomers. Neither can hold up the other, and as each
/// newcomer comes back about once, nobody waits for a crowd a second time.
struct HandshakeQueue {
    enum Rank {
        /// Not a byte of the handshake was read.
        case newcomer
        case begun
    }

    private let perTurnMax: Int
    private let newcomersMax: Int
    private var newcomers = HandshakeLine()
    private var begun = HandshakeLine()
    /// Who is called next, if somebody of that rank is there.
    private var turn = Rank.begun
    /// Steps left in this turn.
    private var left = 0

    init(_ limits: Limits) {
        perTurnMax = limits.tlsHandshakesPerTurnMax
        newcomersMax = limits.tlsHandshakesWaitingMax
    }

    /// Whether anybody may be in a line.
    var isEmpty: Bool { newcomers.isEmpty && begun.isEmpty }

    /// Connections in the lines that are still there.
    var waitingCount: Int { newcomers.waitingCount + begun.waitingCount }

    mutating func turnBegins() { left = perTurnMax }

    /// Takes one of this turn's steps; false when somebody else is to go first.
    mutating func takeStep() -> Bool {
        if left == 0 || waitingCount > 0 { return false }
        left -= 1
        return true
    }

    /// Lets a connection wait; false when the line is full.
    mutating func wait(_ registration: Registration, as rank: Rank) -> Bool {
        switch rank {
        case .newcomer:
            if newcomers.waitingCount == newcomersMax { return false }
            newcomers.append(registration)
        case .begun: begun.append(registration)
        }
        return true
    }

    /// The next in line that may take a step in this turn, or one that has ended since and is no longer counted.
    mutating func next() -> Registration? {
        if left == 0 { return nil }
        switch turn {
        case .newcomer: return newcomers.next() ?? begun.next()
        case .begun: return begun.next() ?? newcomers.next()
        }
    }

    /// The connection that ``next()`` named is there, and takes its step.
    mutating func called(_ rank: Rank) {
        wentAway(rank)
        left -= 1
        turn = rank == .begun ? .newcomer : .begun
    }

    /// A connection that waited has ended before it was called.
    mutating func wentAway(_ rank: Rank) {
        switch rank {
        case .newcomer: newcomers.wentAway()
        case .begun: begun.wentAway()
        }
    }
}

/// Connections in order of arrival. Also those that have ended since: nobody is looked for in the middle.
private struct HandshakeLine {
    /// From `first` on.
    private var line: [Registration] = []
    private var first = 0
    /// Those that are still there.
    private(set) var waitingCount = 0

    var isEmpty: Bool { line.isEmpty }

    mutating func append(_ registration: Registration) {
        waitingCount += 1
        line.append(registration)
    }

    mutating func next() -> Registration? {
        if first == line.count { return nil }
        let registration = line[first]
        first += 1
        if first == line.count {
            line.removeAll(keepingCapacity: line.count <= Self.keptCount)
            first = 0
        } else if first >= Self.keptCount, first * 2 > line.count {
            line.removeFirst(first)
            first = 0
        }
        return registration
    }

    mutating func wentAway() { waitingCount -= 1 }

    private static var keptCount: Int { 1024 }
}
