import HTTPMessages

/// Which TLS handshakes a loop gets on with in a turn, and who waits for the next.
///
/// A step of a handshake that signs costs as much as a hundred requests, and anybody can ask for one with a hundred bytes. So of
/// each turn's clients a few are led on, and the others stand in line, first come, first served, while the requests of
/// established connections are answered between the turns: a flood of handshakes delays a request by one turn's share of them. The line is
/// bounded; who comes when it is full is closed.
struct HandshakeQueue {
    private let perTurnMax: Int
    private let waitingMax: Int
    /// In order of arrival from `first` on. Of connections that have ended since, too: nobody is looked for in the middle.
    private var line: [Registration] = []
    private var first = 0
    /// Connections in the line that are still there.
    private(set) var waitingCount = 0
    /// Steps left in this turn.
    private var left = 0

    init(_ limits: Limits) {
        perTurnMax = limits.tlsHandshakesPerTurnMax
        waitingMax = limits.tlsHandshakesWaitingMax
    }

    /// Whether anybody may be in the line.
    var isEmpty: Bool { line.isEmpty }

    mutating func turnBegins() { left = perTurnMax }

    /// Takes one of this turn's steps; false when somebody else is to go first.
    mutating func takeStep() -> Bool {
        if left == 0 || waitingCount > 0 { return false }
        left -= 1
        return true
    }

    /// Lets a connection wait; false when the line is full.
    mutating func wait(_ registration: Registration) -> Bool {
        if waitingCount == waitingMax { return false }
        waitingCount += 1
        line.append(registration)
        return true
    }

    /// The next in line that may take a step in this turn, or one that has ended since and is no longer counted.
    mutating func next() -> Registration? {
        if left == 0 || first == line.count { return nil }
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

    /// The connection that ``next()`` named is there, and takes its step.
    mutating func called() {
        waitingCount -= 1
        left -= 1
    }

    /// A connection that waited has ended before it was called.
    mutating func wentAway() { waitingCount -= 1 }

    private static var keptCount: Int { 1024 }
}
