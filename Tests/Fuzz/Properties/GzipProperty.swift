import HTTPMessages

/// Anything can be offered as gzip, and comes out bounded or is refused; what is compressed, in one or in pieces, comes back.
func checkGzip(_ bytes: [UInt8]) throws(BrokenProperty) {
    let coder = ContentCoder(GzipSettings(bytesMin: 1))
    for bytesMax in [0, 1, 100, 65_536] {
        do throws(Refusal) {
            try coder.inflate(bytes.span, bytesMax: bytesMax)
        } catch {
            try expect(error.status == 400 || error.status == 413, "refused as \(error)")
            continue
        }
        let count = coder.withInflated { $0.count }
        try expect(count <= bytesMax, "inflated to \(count), bound \(bytesMax)")
    }
    if bytes.isEmpty { return }
    try checkRoundTrip(bytes, coder, pieces: 1)
    try checkRoundTrip(bytes, coder, pieces: 3)
}

private func checkRoundTrip(_ bytes: [UInt8], _ coder: ContentCoder, pieces: Int) throws(BrokenProperty) {
    let producer = Pieces(bytes, count: pieces)
    var response = Response(
        into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false,
        minorVersion: 0)
    if pieces == 1 {
        response.begin(status: 200, contentType: "text/plain")
        response.append(bytes.span)
    } else {
        response.begin(status: 200, contentType: "text/plain", streaming: producer)
    }
    _ = response.finish(coder, for: acceptsGzip)
    let stream = response.producer
    var output = response.takeOutput()
    let headEnd = output.withBytes { written in
        (4..<(written.count + 1)).first { end in (0..<4).allSatisfy { written[end - 4 + $0] == lineEnds[$0] } }
    }
    guard let headEnd else { throw BrokenProperty(description: "an answer without an end of its head") }
    output.removeFirst(headEnd)
    if let stream {
        while stream.producePiece(into: &output) {}
        stream.ended(wasWhole: true)
    }
    do throws(Refusal) {
        try output.withBytes { coded throws(Refusal) in try coder.inflate(coded, bytesMax: bytes.count) }
    } catch {
        throw BrokenProperty(description: "our own gzip refused: \(error)")
    }
    let isSame = coder.withInflated { back in
        back.count == bytes.count && bytes.indices.allSatisfy { back[$0] == bytes[$0] }
    }
    try expect(isSame, "not what went in")
}

private let lineEnds: [UInt8] = [13, 10, 13, 10]

private let acceptsGzip: AcceptedCodings = {
    var parser = RequestParser()
    let text = Array("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n".utf8)
    guard let head = try? parser.parse(text.span, limits: Limits()) else {
        preconditionFailure("a plain GET refused")
    }
    return head.acceptedCodings
}()

private final class Pieces: BodyProducer {
    private var rest: ArraySlice<UInt8>
    private let size: Int

    init(_ bytes: [UInt8], count: Int) {
        rest = bytes[...]
        size = bytes.count / count + 1
    }

    func producePiece(into body: inout ByteBuffer) -> Bool {
        for byte in rest.prefix(size) { body.append(byte) }
        rest = rest.dropFirst(size)
        return !rest.isEmpty
    }

    func ended(wasWhole: Bool) {}
}
