import HTTPMessages
import Testing

@Suite("The rate at which answers are taken") struct AnswerRateTests {
    /// What the kernel holds for a client: once so much, as a rule, then it reports room when a third of it is free.
    private static let kernelBytes = 4_000_000

    /// A client with an endless answer before it, of which it takes `bytes` every `seconds` from what the kernel holds. Returns the
    /// second at which it is cut; nil when it gets through an hour.
    private func secondOfCut(bytes: Int, every seconds: Int, limits: Limits = Limits()) -> Int? {
        var driver = begun(limits)
        for second in 1...3600 {
            driver.wait(.seconds(1))
            if second.isMultiple(of: seconds) { driver.heldBytes -= bytes }
            if driver.heldBytes < Self.kernelBytes / 3 * 2 { fillKernel(&driver) }
            if driver.now < driver.state.deadline { continue }
            driver.fireTimer()
            if driver.log.last == "close" { return second }
        }
        return nil
    }

    private func begun(_ limits: Limits = Limits()) -> ConnectionDriver {
        var driver = ConnectionDriver(limits)
        driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n", drains: false)
        driver.outputBytes = .max / 2
        fillKernel(&driver)
        return driver
    }

    private func fillKernel(_ driver: inout ConnectionDriver) {
        let room = Self.kernelBytes - driver.heldBytes
        driver.heldBytes = Self.kernelBytes
        driver.write(room)
    }

    @Test("a byte now and then does not hold an answer")
    func trickle() {
        // Ten seconds to spare, and next to nothing earned. It is looked at every two and a half.
        #expect(secondOfCut(bytes: 1, every: 9) == 11)
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

    @Test("what the kernel takes earns nothing, and is no progress") func kernelTakes() {
        for rate in [0, 1024] {
            var limits = Limits()
            limits.answerBytesPerSecondMin = rate
            var driver = begun(limits)
            for _ in 1...9 {
                driver.wait(.seconds(1))
                driver.heldBytes += 1_000_000
                driver.write(1_000_000)
                driver.fireTimer()
            }
            #expect(driver.log.last != "close")
            driver.wait(.seconds(1))
            driver.heldBytes += 1_000_000
            driver.write(1_000_000)
            driver.fireTimer()
            #expect(driver.log.last == "close")
        }
    }

    @Test("one that stops is cut between once and one and a quarter times the stall time after its last byte")
    func stops() {
        for last in [Duration.milliseconds(1), .milliseconds(2499), .milliseconds(2501), .seconds(7)] {
            var driver = begun()
            let began = driver.now
            let stopped = began + last.clampedNanoseconds
            while driver.log.last != "close" {
                driver.now = driver.state.deadline
                // A byte every ten microseconds.
                let nanoseconds = min(driver.now, stopped).nanoseconds - began.nanoseconds
                driver.heldBytes = Self.kernelBytes - Int(nanoseconds / 10_000)
                driver.fireTimer()
            }
            let after = driver.now.nanoseconds - stopped.nanoseconds
            #expect((10_000_000_000...12_500_000_000).contains(after), "stopped after \(last), cut \(after) ns later")
        }
    }

    @Test("a kernel that counts its own memory besides the bytes hides no progress") func kernelMemory() {
        var driver = ConnectionDriver()
        // As on a Unix socket that is full of small answers.
        driver.heldBytes = 200_000
        driver.receive("GET / HTTP/1.1\r\nHost: h\r\n\r\n", drains: false)
        for _ in 1...10 {
            driver.wait(.seconds(9))
            driver.heldBytes -= 10_000
            driver.fireTimer()
            #expect(driver.log.last != "close")
        }
        driver.wait(.seconds(10))
        driver.fireTimer()
        #expect(driver.log.last == "close")
    }

    @Test("nobody asks how far a client is that has nothing left to make room for") func asked() {
        var driver = begun()
        #expect(driver.state.awaitsClient)
        driver.drainOutput()
        #expect(!driver.state.awaitsClient)
        #expect(driver.state.deadline > driver.now + Limits().writeStallTime.clampedNanoseconds, "the idle time")
    }
}
