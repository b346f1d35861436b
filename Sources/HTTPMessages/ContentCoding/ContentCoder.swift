/// When and how answers are compressed.
package struct GzipSettings: Sendable, Equatable {
    /// Answers of at least so many bytes are compressed for clients that want it; nil: only those for clients that refuse them as
    /// they are.
    package var bytesMin: Int?
    /// zlib's level, 1 (fast) to 9 (small).
    package var level: Int

    /// 16 KiB of window: 98 KB a compressor instead of 262, at the same size and time for answers up to 16 KiB, and a few per
    /// cent more bytes beyond. docs/http.md has the figures.
    static let windowBits: Int32 = 14
    static let memoryLevel: Int32 = 6

    package static let bytesMinRange = 1...1_073_741_824
    package static let levelRange = 1...9

    /// By default what does not fit the first TCP segment beside a head of some 230 bytes: less saves no packet.
    package init(bytesMin: Int? = 1200, level: Int = 1) {
        self.bytesMin = bytesMin
        self.level = level
    }

    /// Throws for the first value that is outside what makes sense: settings come from outside.
    package func check() throws(InvalidLimit) {
        if let bytesMin, !Self.bytesMinRange.contains(bytesMin) {
            throw InvalidLimit(name: "gzip.bytesMin", got: "\(bytesMin)", wanted: "1 to 1073741824")
        }
        guard Self.levelRange.contains(level) else {
            throw InvalidLimit(name: "gzip.level", got: "\(level)", wanted: "1 to 9")
        }
    }
}

/// One loop's compressors and what they write to: made when they are first needed, then kept and reused.
///
/// A streamed answer holds a compressor of its own while it lasts, and gives it back.
package final class ContentCoder {
    private let settings: GzipSettings
    private var idle: [Deflater] = []
    private var inflater: Inflater?
    private var coded = ByteBuffer(capacity: 1024)
    private var inflated = ByteBuffer(capacity: 1024)

    /// What is kept when it is not needed: the rest is given back.
    private static let idleMax = 4
    private static let keptBytes = 1 << 20

    package init(_ settings: GzipSettings) { self.settings = settings }

    // MARK: Answers

    /// Whether an answer of so many bytes depends on what the client accepts. Of an unknown number, nil: it does.
    func codes(_ byteCount: Int?, for accepted: AcceptedCodings) -> Bool {
        // Who refuses identity is sent gzip however small the answer, and whatever was set: the alternative is no answer.
        if accepted.refusesIdentity, byteCount != 0 { return true }
        guard let bytesMin = settings.bytesMin else { return false }
        guard let byteCount else { return true }
        return byteCount >= bytesMin
    }

    /// Compresses a whole body; ``takeCompressed(_:)`` has the outcome.
    func compress(_ bytes: Span<UInt8>) {
        let deflater = take()
        coded.removeAll()
        deflater.append(bytes, to: &coded, .end)
        give(deflater)
    }

    /// Lends what ``compress(_:)`` made to `body`.
    func takeCompressed(_ body: (Span<UInt8>) -> Void) {
        coded.withBytes(body)
        if coded.allocatedBytes > Self.keptBytes { coded = ByteBuffer(capacity: 1024) }
    }

    func take() -> Deflater { idle.popLast() ?? Deflater(settings) }

    func give(_ deflater: Deflater) {
        if idle.count == Self.idleMax { return }
        deflater.reset()
        idle.append(deflater)
    }

    // MARK: Requests

    /// Inflates a gzip body; ``withInflated(_:)`` lends the outcome.
    ///
    /// - Throws: when the bytes are not gzip, or more than `bytesMax` inflated.
    package func inflate(_ bytes: Span<UInt8>, bytesMax: Int) throws(Refusal) {
        let inflater = self.inflater ?? Inflater()
        self.inflater = inflater
        inflated.removeAll()
        do throws(Inflater.Failure) {
            try inflater.append(bytes, to: &inflated, bytesMax: bytesMax)
        } catch {
            switch error {
            case .damaged: throw .malformed(.gzip)
            case .tooLarge: throw .inflatedBodyTooLarge(codedBytes: bytes.count, bytesMax: bytesMax)
            }
        }
    }

    /// Lends what ``inflate(_:bytesMax:)`` made to `body`, once.
    package func withInflated<R>(_ body: (Span<UInt8>) -> R) -> R {
        defer { if inflated.allocatedBytes > Self.keptBytes { inflated = ByteBuffer(capacity: 1024) } }
        return inflated.withBytes(body)
    }
}
