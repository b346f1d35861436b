/// A limit that no server can work with.
package struct InvalidLimit: Error, Sendable, Equatable {
    /// The property's name.
    package let name: String
    package let got: String
    package let wanted: String

    package init(name: String, got: String, wanted: String) {
        self.name = name
        self.got = got
        self.wanted = wanted
    }
}

extension Limits {
    // MARK: Where each bound may lie

    package static let requestLineBytesMaxRange = 64...1_048_576
    package static let headerBytesMaxRange = 64...1_048_576
    package static let headerCountMaxRange = 1...10_000
    package static let bodyBytesMaxRange = 0...1_073_741_824
    package static let outputBytesMaxRange = 1024...1_073_741_824
    package static let pipelinedRequestsMaxRange = 1...1_000_000
    package static let readBytesRange = 1024...16_777_216
    package static let connectionsMaxRange = 1...1_000_000
    package static let connectionsPerClientMaxRange = 1...1_000_000
    package static let adminConnectionsMaxRange = 1...10_000
    package static let answerBytesPerSecondMinRange = 0...1_000_000_000
    package static let refusedConnectionsMaxRange = 0...1_000_000
    package static let retryAfterSecondsRange = 0...86_400
    package static let acceptBacklogRange = 1...65_535
    package static let tlsHandshakesPerTurnMaxRange = 1...10_000
    package static let tlsHandshakesWaitingMaxRange = 0...1_000_000
    package static let requestsPerConnectionMaxRange = 1...1_000_000_000
    /// Its least depends on what one request may have: ``bufferedBytesLeast``.
    package static let bufferedBytesMaxRange = 0...1_099_511_627_776

    // MARK: Checking

    /// Throws for the first value that is outside what makes sense: settings come from outside.
    package func check() throws(InvalidLimit) {
        try check("requestLineBytesMax", requestLineBytesMax, Self.requestLineBytesMaxRange)
        try check("headerBytesMax", headerBytesMax, Self.headerBytesMaxRange)
        try check("headerCountMax", headerCountMax, Self.headerCountMaxRange)
        try check("bodyBytesMax", bodyBytesMax, Self.bodyBytesMaxRange)
        try check("outputBytesMax", outputBytesMax, Self.outputBytesMaxRange)
        try check("pipelinedRequestsMax", pipelinedRequestsMax, Self.pipelinedRequestsMaxRange)
        try check("requestsPerConnectionMax", requestsPerConnectionMax ?? 1, Self.requestsPerConnectionMaxRange)
        try check("readBytes", readBytes, Self.readBytesRange)
        try check("connectionsMax", connectionsMax, Self.connectionsMaxRange)
        try check("connectionsPerClientMax", connectionsPerClientMax, Self.connectionsPerClientMaxRange)
        try check("adminConnectionsMax", adminConnectionsMax, Self.adminConnectionsMaxRange)
        try check("answerBytesPerSecondMin", answerBytesPerSecondMin, Self.answerBytesPerSecondMinRange)
        try check("refusedConnectionsMax", refusedConnectionsMax, Self.refusedConnectionsMaxRange)
        try check("retryAfterSeconds", retryAfterSeconds, Self.retryAfterSecondsRange)
        try check("acceptBacklog", acceptBacklog, Self.acceptBacklogRange)
        try check("tlsHandshakesPerTurnMax", tlsHandshakesPerTurnMax, Self.tlsHandshakesPerTurnMaxRange)
        try check("tlsHandshakesWaitingMax", tlsHandshakesWaitingMax, Self.tlsHandshakesWaitingMaxRange)
        try check("bufferedBytesMax", bufferedBytesMax, bufferedBytesLeast...Self.bufferedBytesMaxRange.upperBound)
        try check("headTime", headTime, least: .milliseconds(1))
        try check("tlsHandshakeTime", tlsHandshakeTime, least: .milliseconds(1))
        try check("bodyTime", bodyTime, least: .milliseconds(1))
        try check("idleTime", idleTime, least: .milliseconds(1))
        try check("writeStallTime", writeStallTime, least: .milliseconds(1))
        try check("queueTimeMax", queueTimeMax, least: .milliseconds(1))
        try check("lingerTime", lingerTime, least: .zero)
        try check("drainIdleTime", drainIdleTime, least: .zero)
    }

    /// With less a request of the size that is accepted could find no room with nobody else there: its head, its body and a
    /// read, in a buffer that doubled to hold them.
    package var bufferedBytesLeast: Int { 2 * (requestLineBytesMax + 2 * headerBytesMax + bodyBytesMax + readBytes) }

    private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(InvalidLimit) {
        if range.contains(value) { return }
        throw InvalidLimit(name: name, got: "\(value)", wanted: "\(range.lowerBound) to \(range.upperBound)")
    }

    private func check(_ name: String, _ value: Duration, least: Duration) throws(InvalidLimit) {
        if value >= least, value <= .seconds(86_400) { return }
        throw InvalidLimit(name: name, got: "\(value)", wanted: "\(least) to 1 day")
    }
}
