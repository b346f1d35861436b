import HTTPMessages
import Testing

@Suite("Limits") struct LimitsTests {
    @Test("the defaults pass")
    func defaults() throws { try Limits().check() }

    @Test("each number is accepted at its ends and refused one past")
    func numbers() throws {
        let numbers: [(String, WritableKeyPath<Limits, Int>, ClosedRange<Int>)] = [
            ("requestLineBytesMax", \Limits.requestLineBytesMax, 64...1_048_576),
            ("headerBytesMax", \Limits.headerBytesMax, 64...1_048_576),
            ("headerCountMax", \Limits.headerCountMax, 1...10_000),
            ("bodyBytesMax", \Limits.bodyBytesMax, 0...1_073_741_824),
            ("outputBytesMax", \Limits.outputBytesMax, 1024...1_073_741_824),
            ("pipelinedRequestsMax", \Limits.pipelinedRequestsMax, 1...1_000_000),
            ("readBytes", \Limits.readBytes, 1024...16_777_216),
            ("connectionsMax", \Limits.connectionsMax, 1...1_000_000),
            ("connectionsPerClientMax", \Limits.connectionsPerClientMax, 1...1_000_000),
            ("adminConnectionsMax", \Limits.adminConnectionsMax, 1...10_000),
            ("answerBytesPerSecondMin", \Limits.answerBytesPerSecondMin, 0...1_000_000_000),
            ("refusedConnectionsMax", \Limits.refusedConnectionsMax, 0...1_000_000),
            ("retryAfterSeconds", \Limits.retryAfterSeconds, 0...86_400),
            ("acceptBacklog", \Limits.acceptBacklog, 1...65_535),
            ("tlsHandshakesPerTurnMax", \Limits.tlsHandshakesPerTurnMax, 1...10_000),
            ("tlsHandshakesWaitingMax", \Limits.tlsHandshakesWaitingMax, 0...1_000_000),
        ]
        for (name, limit, range) in numbers {
            var limits = Limits()
            // Room for the largest request that is tried.
            limits.bufferedBytesMax = 1 << 40
            for value in [range.lowerBound, range.upperBound] {
                limits[keyPath: limit] = value
                try limits.check()
            }
            for value in [range.lowerBound - 1, range.upperBound + 1] {
                limits[keyPath: limit] = value
                let wanted = "\(range.lowerBound) to \(range.upperBound)"
                #expect(throws: InvalidLimit(name: name, got: "\(value)", wanted: wanted)) { try limits.check() }
            }
        }
    }

    @Test("durations are a millisecond to a day, the two waits of an ending connection from nothing")
    func durations() throws {
        let positive = [
            \Limits.headTime, \Limits.tlsHandshakeTime, \Limits.bodyTime, \Limits.idleTime, \Limits.writeStallTime,
            \Limits.queueTimeMax,
        ]
        for limit in positive + [\Limits.lingerTime, \Limits.drainIdleTime] {
            let least: Duration = positive.contains(limit) ? .milliseconds(1) : .zero
            var limits = Limits()
            for value in [least, .seconds(86_400)] {
                limits[keyPath: limit] = value
                try limits.check()
            }
            for value in [least - .nanoseconds(1), .seconds(86_400) + .nanoseconds(1)] {
                limits[keyPath: limit] = value
                #expect(throws: InvalidLimit.self) { try limits.check() }
            }
        }
    }

    @Test("what all requests may buffer is at least twice what one may have, and at most a tebibyte")
    func bufferedBytes() throws {
        var limits = Limits()
        limits.bodyBytesMax = 1_000_000
        #expect(limits.bufferedBytesLeast == 2 * (8192 + 2 * 16_384 + 1_000_000 + 16_384))
        for value in [limits.bufferedBytesLeast, 1 << 40] {
            limits.bufferedBytesMax = value
            try limits.check()
        }
        for value in [limits.bufferedBytesLeast - 1, (1 << 40) + 1] {
            limits.bufferedBytesMax = value
            #expect(throws: InvalidLimit.self) { try limits.check() }
        }
    }

    @Test("a connection may be allowed one request, not none")
    func requestsPerConnection() throws {
        var limits = Limits()
        for requests in [1, 1_000_000_000] {
            limits.requestsPerConnectionMax = requests
            try limits.check()
        }
        for requests in [0, 1_000_000_001] {
            limits.requestsPerConnectionMax = requests
            #expect(throws: InvalidLimit.self) { try limits.check() }
        }
    }
}
