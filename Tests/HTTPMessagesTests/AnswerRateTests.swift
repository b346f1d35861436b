import HTTPMessages
import Testing

@Suite("The rate at which answers are taken") struct AnswerRateTests {
    /// A client with an answer of a megabyte before it, of which `bytes` are taken every `seconds`. Returns the second at which
    /// it is cut; nil when it gets through an hour.
    private func secondOfCut(bytes: Int, every seconds: Int, limits: Limits = Limits()) -> Int? {
        var driver = ConnectionDriver(limits)
        driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n", drains: false)
        for second in stride(from: seconds, through: 3600, by: seconds) {
            driver.wait(.seconds(seconds))
            if driver.state.timerFired(now: driver.now) == .close { return second }
            driver.state.wrote(bytes, outputBytes: 1_000_000, now: driver.now, policy: driver.policy)
        }
        return nil
    }

    @Test("a byte now and then does not hold an answer")
    func trickle() {
        // Ten seconds to spare, and next to nothing earned.
        #expect(secondOfCut(bytes: 1, every: 9) == 18)
        #expect(secondOfCut(bytes: 1, every: 1) == 11)
    }

    @Test("a client at the rate gets everything, one a little below it is cut when its spare time is used up")
    func atTheRate() {
        #expect(secondOfCut(bytes: 1024, every: 1) == nil)
        #expect(secondOfCut(bytes: 5 * 1024, every: 5) == nil)
        // A tenth too slow: a second of the ten is lost in every ten.
        let cut = secondOfCut(bytes: 922, every: 1) ?? .max
        #expect((90...120).contains(cut), "cut after \(cut) s")
    }

    @Test("the rate is the setting's, and 0 asks for none")
    func setting() {
        var limits = Limits()
        limits.answerBytesPerSecondMin = 1
        #expect(secondOfCut(bytes: 1, every: 1, limits: limits) == nil)
        limits.answerBytesPerSecondMin = 2
        #expect(secondOfCut(bytes: 1, every: 1, limits: limits) != nil)
        limits.answerBytesPerSecondMin = 0
        #expect(secondOfCut(bytes: 1, every: 9, limits: limits) == nil)
        limits.answerBytesPerSecondMin = 1_000_000_000
        #expect(secondOfCut(bytes: 1_000_000, every: 1, limits: limits) == 11)
    }

    @Test("when all is taken the account is closed: the next answer has its own spare time")
    func anew() {
        var driver = ConnectionDriver()
        driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n", drains: false)
        driver.wait(.seconds(9))
        driver.drainOutput()
        driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n", drains: false)
        driver.wait(.seconds(9))
        #expect(driver.state.timerFired(now: driver.now) == .read)
        driver.wait(.seconds(1))
        #expect(driver.state.timerFired(now: driver.now) == .close)
    }
}
