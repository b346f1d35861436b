import Glibc

/// Makes request ids: 26 characters of Crockford's base 32, milliseconds first, so that they sort by time (a ULID).
///
/// https://github.com/ulid/spec
struct RequestIDSource {
    private var random: SystemSeededRandom

    init() { random = SystemSeededRandom() }

    /// Writes one id of 26 ASCII characters to the front of `id`.
    mutating func next(into id: inout [UInt8]) {
        var now = timespec()
        // As of the last clock tick, a few milliseconds ago, for a fifth of the time. Ids of one tick are in no order.
        // SAFETY: clock_gettime writes the timespec that it is given.
        unsafe _ = clock_gettime(CLOCK_REALTIME_COARSE, &now)
        let milliseconds = UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
        if id.count != Self.length {
            id.removeAll(keepingCapacity: true)
            id.append(contentsOf: repeatElement(0, count: Self.length))
        }
        // One question for uniqueness, not one a character.
        var text = id.mutableSpan
        // 48 bits of time in ten characters, 80 random bits in sixteen.
        for place in 0..<10 { text[place] = crockford(milliseconds >> UInt64(45 - 5 * place)) }
        for half in 0..<2 {
            let bits = random.next()
            for place in 0..<8 { text[10 + 8 * half + place] = crockford(bits >> UInt64(35 - 5 * place)) }
        }
    }

    private static let length = 26
}

/// The id a client sent is kept when it is 1 to 128 characters of `[A-Za-z0-9._-]`: anything else could forge a log
/// line or a header.
package func isRequestID(_ text: Span<UInt8>) -> Bool {
    guard (1...128).contains(text.count) else { return false }
    for index in text.indices {
        switch text[index] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            continue
        default: return false
        }
    }
    return true
}

private func crockford(_ bits: UInt64) -> UInt8 {
    let alphabet: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    // SAFETY: the alphabet has 32 characters and the index is below 32.
    return unsafe alphabet.utf8Start[Int(bits & 31)]
}

/// xorshift64*, seeded by the kernel: request ids need to differ, not to be secret, and must not cost a system call.
///
/// Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016.
private struct SystemSeededRandom {
    private var state: UInt64

    init() {
        var system = SystemRandomNumberGenerator()
        state = system.next() | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}

/// A request id for an answer that no request asked for.
package func newRequestID() -> [UInt8] {
    var source = RequestIDSource()
    var id: [UInt8] = []
    source.next(into: &id)
    return id
}
