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
    /// Throws for the first value that is outside what makes sense: settings come from outside.
    package func check() throws(InvalidLimit) {
        try check("requestLineBytesMax", requestLineBytesMax, 64...1_048_576)
        try check("headerBytesMax", headerBytesMax, 64...1_048_576)
        try check("headerCountMax", headerCountMax, 1...10_000)
        try check("bodyBytesMax", bodyBytesMax, 0...1_073_741_824)
        try check("outputBytesMax", outputBytesMax, 1024...1_073_741_824)
        try check("pipelinedRequestsMax", pipelinedRequestsMax, 1...1_000_000)
        try check("requestsPerConnectionMax", requestsPerConnectionMax ?? 1, 1...Int.max)
        try check("readBytes", readBytes, 1024...16_777_216)
        try check("connectionsMax", connectionsMax, 1...1_000_000)
        try check("connectionsPerClientMax", connectionsPerClientMax, 1...1_000_000)
        try check("adminConnectionsMax", adminConnectionsMax, 1...10_000)
        try check("answerBytesPerSecondMin", answerBytesPerSecondMin, 0...1_000_000_000)
        try check("refusedConnectionsMax", refusedConnectionsMax, 0...1_000_000)
        try check("retryAfterSeconds", retryAfterSeconds, 0...86_400)
        try check("acceptBacklog", acceptBacklog, 1...65_535)
        try check("headTime", headTime, least: .milliseconds(1))
        try check("tlsHandshakeTime", tlsHandshakeTime, least: .milliseconds(1))
        try check("bodyTime", bodyTime, least: .milliseconds(1))
        try check("idleTime", idleTime, least: .milliseconds(1))
        try check("writeStallTime", writeStallTime, least: .milliseconds(1))
        try check("queueTimeMax", queueTimeMax, least: .milliseconds(1))
        try check("lingerTime", lingerTime, least: .zero)
        try check("drainIdleTime", drainIdleTime, least: .zero)
    }

    private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(InvalidLimit) {
        if range.contains(value) { return }
        throw InvalidLimit(name: name, got: "\(value)", wanted: "\(range.lowerBound) to \(range.upperBound)")
    }

    private func check(_ name: String, _ value: Duration, least: Duration) throws(InvalidLimit) {
        if value >= least, value <= .seconds(86_400) { return }
        throw InvalidLimit(name: name, got: "\(value)", wanted: "\(least) to 1 day")
    }
}
