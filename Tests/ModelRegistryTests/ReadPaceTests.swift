import Foundation
import TestSupport
import Testing

@testable import ModelRegistry

@Suite("Read pace") struct ReadPaceTests {
    @Test("bytes are due no sooner than the bound allows")
    func due() {
        let pace = ReadPace(bytesPerSecondMax: 1000)
        #expect(pace.due(afterReading: 0) == .zero)
        #expect(pace.due(afterReading: 500) == .milliseconds(500))
        #expect(pace.due(afterReading: 3e12) == .seconds(3_000_000_000))
        #expect(ReadPace(bytesPerSecondMax: 0).due(afterReading: 2) == .seconds(2))
    }

    @Test(
        "pieces are a twentieth of a second's worth, within bounds",
        arguments: [
            (1, 4096), (4096 * 20 + 20, 4097), (1 << 40, 1 << 20),
        ])
    func chunks(bytesPerSecond: Int, chunk: Int) {
        #expect(ReadPace(bytesPerSecondMax: bytesPerSecond).chunkBytes == chunk)
    }

    @Test("a digest read at a pace is the same, and takes at least as long as the pace says")
    func digest() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(Data(repeating: 7, count: 50_000), as: "file")
        let began = ContinuousClock.now
        let digest = try sha256(ofFile: file, bytesPerSecondMax: 200_000)
        // It never waits less than it should, however busy the machine is.
        #expect(ContinuousClock.now - began >= .milliseconds(250))
        #expect(try digest == sha256(ofFile: file))
    }
}
