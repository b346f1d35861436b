/// The outcome of a run as a script reads it; `nextloop-bench load --json` prints it.
package struct LoadReport: Encodable, Sendable {
    package struct Latency: Encodable, Sendable {
        package var mean, p50, p90, p99, p999, max: Double
    }

    package struct Connections: Encodable, Sendable {
        /// Attempts to connect after the start that failed.
        package var failures: Int
        /// Opened after the start, in place of one that ended.
        package var reopened: Int
        /// Ended by the server with nothing asked of it: after `Connection: close`, and without a word.
        package var closedAnnounced, closedIdle: Int
    }

    /// The figures of one stretch of time.
    package struct Figures: Encodable, Sendable {
        /// Requests with an outcome: the answers and the unanswered.
        package var requests, answers: Int
        /// By status.
        package var status: [String: Int]
        /// By `X-Model-Version`; answers without one are in none.
        package var modelVersions: [String: Int]
        /// By cause: `reset`, `closed`, `timed_out`, `malformed`, `unsent`.
        package var unanswered: [String: Int]
        package var unansweredTotal: Int
        /// Of the unanswered, those that a kept connection was closed on before anything of the answer came.
        package var unansweredOnReused: Int
        package var connections: Connections
        package var bytesReceived: Int
        package var requestsPerSecond: Double
        package var latencySeconds: Latency
    }

    package struct Interval: Encodable, Sendable {
        package var fromSeconds: Double
        package var figures: Figures
    }

    package var total: Figures
    package var seconds: Double
    package var timeline: [Interval]?

    package init(_ result: LoadResult, interval: Duration?) {
        total = Figures(result.total, seconds: result.seconds)
        seconds = result.seconds
        timeline = interval.map { interval in
            let length = Double(interval.nanoseconds) / 1e9
            return result.timeline.enumerated().map { place, tally in
                let from = Double(place) * length
                // The last interval ends with the run.
                let length = max(min(length, result.seconds - from), 1e-9)
                return Interval(fromSeconds: from, figures: Figures(tally, seconds: length))
            }
        }
    }
}

extension LoadReport.Figures {
    init(_ tally: LoadTally, seconds: Double) {
        func quantile(_ share: Double) -> Double { Double(tally.latency.quantile(share)) / 1e9 }
        answers = tally.answers
        requests = tally.requests
        status = [:]
        for (code, count) in tally.statuses.enumerated() where count > 0 { status[String(code)] = count }
        modelVersions = tally.versions
        unanswered = [:]
        for cause in Unanswered.allCases { unanswered[cause.name] = tally.unanswered[cause.rawValue] }
        unansweredTotal = requests - answers
        unansweredOnReused = tally.unansweredOnReused
        connections = .init(
            failures: tally.connectFailures, reopened: tally.reconnections, closedAnnounced: tally.closedAnnounced,
            closedIdle: tally.closedIdle)
        bytesReceived = tally.bytesReceived
        requestsPerSecond = seconds > 0 ? Double(answers) / seconds : 0
        latencySeconds = .init(
            mean: tally.latency.mean / 1e9, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99),
            p999: quantile(0.999), max: Double(tally.latency.max) / 1e9)
    }
}
