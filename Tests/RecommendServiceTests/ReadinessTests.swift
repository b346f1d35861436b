import RecommendService
import Testing

@Suite("Readiness") struct ReadinessTests {
    @Test("a process that drains is never ready again, whichever came first") func order() {
        let late = Readiness()
        #expect(late.state == .loading)
        #expect(late.becomeReady())
        #expect(late.state == .ready)
        #expect(late.beginDraining() == .ready)
        #expect(late.state == .draining)
        #expect(!late.becomeReady())
        #expect(late.state == .draining)
        let early = Readiness()
        #expect(early.beginDraining() == .loading)
        #expect(!early.becomeReady())
        #expect(early.state == .draining)
    }

    @Test("of two who end a process one is told that the other does") func once() {
        let readiness = Readiness()
        #expect(readiness.beginDraining() != .draining)
        #expect(readiness.beginDraining() == .draining)
    }
}
