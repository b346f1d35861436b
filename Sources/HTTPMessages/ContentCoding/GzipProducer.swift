/// Compresses a streamed answer piece by piece. Each piece is flushed, so that its lines arrive when they are made.
final class GzipProducer: BodyProducer {
    private let producer: any BodyProducer
    private let coder: ContentCoder
    private let deflater: Deflater
    private var piece = ByteBuffer(capacity: 4096)

    init(_ producer: any BodyProducer, _ coder: ContentCoder) {
        self.producer = producer
        self.coder = coder
        deflater = coder.take()
    }

    func producePiece(into body: inout ByteBuffer) -> Bool {
        piece.removeAll()
        let hasMore = producer.producePiece(into: &piece)
        if piece.isEmpty, hasMore { return true }
        piece.withBytes { deflater.append($0, to: &body, hasMore ? .piece : .end) }
        return hasMore
    }

    func ended(wasWhole: Bool) {
        coder.give(deflater)
        producer.ended(wasWhole: wasWhole)
    }
}
