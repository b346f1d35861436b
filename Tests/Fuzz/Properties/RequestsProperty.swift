import HTTPMessages
import TestSupport

/// However the bytes are cut up, the connection answers the same requests and ends the same way; what it accepts is framed
/// as ``ReferenceFraming`` has it, and it never answers more.
func checkRequests(_ bytes: [UInt8]) throws(BrokenProperty) {
    for limits in [Limits(), tightLimits] {
        let whole = frame(bytes, limits: limits)
        let single = frame(bytes, cuts: Array(0..<bytes.count), limits: limits)
        try expect(same(whole, single), "one byte at a time: \(single), at once: \(whole)")
        var random = SplitMix64(seed: bytes.reduce(UInt64(bytes.count)) { $0 &* 31 &+ UInt64($1) })
        let cuts = (0..<bytes.count).filter { _ in random.next() % 5 == 0 }
        let pieces = frame(bytes, cuts: cuts, limits: limits)
        try expect(same(whole, pieces), "cut at \(cuts): \(pieces), at once: \(whole)")

        var reference = ReferenceFraming(bytes)
        for request in whole.requests {
            guard let message = reference.next() else {
                throw BrokenProperty(description: "answered a request that is not there")
            }
            try expect(message.body == request.body, "a body of \(request.body), wanted \(message.body)")
            try expect(message.firstLine.starts(with: request.method), "another method than the request's")
        }
    }
}

/// So small that inputs of some hundred bytes pass them.
private let tightLimits: Limits = {
    var limits = Limits()
    limits.requestLineBytesMax = 64
    limits.headerBytesMax = 96
    limits.headerCountMax = 4
    limits.bodyBytesMax = 24
    limits.pipelinedRequestsMax = 2
    limits.requestsPerConnectionMax = 5
    return limits
}()

/// Interim answers depend on when bytes come (RFC 9110 section 10.1.1), and nothing else does.
private func same(_ left: Framing, _ right: Framing) -> Bool {
    left.requests == right.requests && left.end == right.end
}
