import HTTPMessages
import Testing

@testable import HTTPServer

@Suite("Ticket keys") struct TLSTicketKeysTests {
    private let start = MonotonicTime(nanoseconds: 1_000)
    private let rotation: UInt64 = TicketKeys.rotationSeconds * 1_000_000_000
    private let session: UInt64 = TicketKeys.sessionSeconds * 1_000_000_000

    @Test("a key seals until its time is over, then another does")
    func rotates() throws {
        let keys = TicketKeys()
        let first = try #require(keys.sealing(now: start))
        #expect(keys.sealing(now: start + (rotation - 1)) == first)
        let second = try #require(keys.sealing(now: start + rotation))
        #expect(
            second != first && second.name != first.name && second.cipher != first.cipher && second.mac != first.mac)
    }

    @Test("a key that no longer seals opens for as long as a session lasts")
    func opens() throws {
        let keys = TicketKeys()
        let first = try #require(keys.sealing(now: start))
        #expect(keys.opening(name: first.name, now: start) == .current(first))
        let second = try #require(keys.sealing(now: start + rotation))
        #expect(keys.opening(name: second.name, now: start + rotation) == .current(second))
        #expect(keys.opening(name: first.name, now: start + (rotation + session - 1)) == .previous(first))
        #expect(keys.opening(name: first.name, now: start + (rotation + session)) == nil)
    }

    @Test("a key that sealed last a long time ago is not opened with, though no other has sealed since")
    func quiet() throws {
        let keys = TicketKeys()
        let first = try #require(keys.sealing(now: start))
        #expect(keys.opening(name: first.name, now: start + (rotation + session)) == nil)
        #expect(keys.opening(name: [UInt8](repeating: 0, count: 16), now: start) == nil)
    }

    @Test("two servers have different keys, of the sizes that the ciphers want")
    func different() throws {
        let first = try #require(TicketKeys().sealing(now: start))
        let second = try #require(TicketKeys().sealing(now: start))
        #expect(first.name != second.name && first.cipher != second.cipher && first.mac != second.mac)
        #expect(first.name.count == 16 && first.cipher.count == 32 && first.mac.count == 32)
    }
}
