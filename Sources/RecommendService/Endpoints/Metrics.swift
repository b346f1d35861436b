import HTTPMessages
import PrometheusText

extension LoopService {
    /// `GET /metrics`: everything counted, in Prometheus' text format.
    ///
    /// Some ten kilobytes as a rule, written here. More than a piece is streamed, for the loop's other connections have to be
    /// answered meanwhile: every method and status on every path makes a megabyte.
    func writeMetrics(into body: inout ByteBuffer) -> StaticString {
        var exposition = service.metrics()
        var text = ""
        if exposition.writePiece(into: &text, bytesMax: MetricsAnswer.pieceBytes) {
            streamedBody = MetricsAnswer(self, exposition, begun: text)
        } else {
            body.append(text)
        }
        return Exposition.contentType
    }
}

/// The metrics, piece by piece.
private final class MetricsAnswer: BodyProducer {
    private let loop: LoopService
    private let requestID: [UInt8]
    private let accessEntry: AccessEntry
    private var exposition: Exposition
    private var piece: String
    private var isBegun = false
    private var writtenBytes = 0

    /// Some 100 µs of writing.
    static let pieceBytes = 32 * 1024

    init(_ loop: LoopService, _ exposition: Exposition, begun: String) {
        self.loop = loop
        requestID = loop.requestID
        accessEntry = loop.accessEntry
        self.exposition = exposition
        piece = begun
    }

    func producePiece(into body: inout ByteBuffer) -> Bool {
        var hasMore = true
        // The first piece is here already.
        if isBegun {
            piece.removeAll(keepingCapacity: true)
            hasMore = exposition.writePiece(into: &piece, bytesMax: Self.pieceBytes)
        }
        isBegun = true
        body.append(piece)
        writtenBytes += piece.utf8.count
        return hasMore
    }

    func ended(wasWhole: Bool) {
        var entry = accessEntry
        entry.wasCut = !wasWhole
        loop.resume(requestBytes: 0, responseBytes: writtenBytes, requestID: requestID, entry: entry)
    }
}
