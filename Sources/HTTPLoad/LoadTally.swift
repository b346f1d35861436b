/// Why a request has no answer.
package enum Unanswered: Int, Sendable, CaseIterable {
    /// The connection was reset, or broke in another way.
    case reset
    /// The server closed the connection before the answer was whole.
    case closed
    /// No whole answer within the time limit.
    case timedOut
    /// What came is not HTTP/1.1.
    case malformed
    /// Fell due, and no connection was free to send it within the time limit (open loop only).
    case unsent

    package var name: String {
        switch self {
        case .reset: "reset"
        case .closed: "closed"
        case .timedOut: "timed_out"
        case .malformed: "malformed"
        case .unsent: "unsent"
        }
    }
}

/// What happened in one stretch of time, on one thread or on all.
///
/// Every request that fell due counts once: in one of `statuses` or in one of `unanswered`.
package struct LoadTally: Sendable {
    package var latency = LatencyHistogram()
    /// Answers by status, 0...999.
    package var statuses = [Int](repeating: 0, count: 1000)
    /// Answers by the place of their `X-Model-Version` in the thread's list; place 0 counts answers without one.
    var versionPlaces = [0]
    /// The same by name, filled in when threads are joined.
    package var versions: [String: Int] = [:]
    package var unanswered = [Int](repeating: 0, count: Unanswered.allCases.count)
    /// Of the unanswered: requests on a connection that had answered before, of which nothing came. What a proxy
    /// meets when the server closes a kept connection just as the next request is sent.
    package var unansweredOnReused = 0
    package var connectFailures = 0
    /// Connections opened after the start.
    package var reconnections = 0
    /// Connections that the server closed while nothing was asked of it, announced by `Connection: close` or not.
    package var closedAnnounced = 0
    package var closedIdle = 0
    package var bytesReceived = 0

    package init() {}

    package var answers: Int { statuses.reduce(0, +) }
    package var requests: Int { answers + unanswered.reduce(0, +) }

    mutating func record(status: Int, version: Int, nanoseconds: UInt64) {
        latency.record(nanoseconds)
        statuses[status] += 1
        while versionPlaces.count <= version { versionPlaces.append(0) }
        versionPlaces[version] += 1
    }

    /// Turns places into the names of this thread's list.
    mutating func nameVersions(_ names: [String]) {
        for (place, count) in versionPlaces.enumerated().dropFirst() where count > 0 {
            versions[names[place - 1], default: 0] += count
        }
        versionPlaces = [versionPlaces[0]]
    }

    package mutating func add(_ other: LoadTally) {
        latency.add(other.latency)
        for status in statuses.indices { statuses[status] += other.statuses[status] }
        versions.merge(other.versions, uniquingKeysWith: +)
        for cause in unanswered.indices { unanswered[cause] += other.unanswered[cause] }
        unansweredOnReused += other.unansweredOnReused
        connectFailures += other.connectFailures
        reconnections += other.reconnections
        closedAnnounced += other.closedAnnounced
        closedIdle += other.closedIdle
        bytesReceived += other.bytesReceived
    }
}
