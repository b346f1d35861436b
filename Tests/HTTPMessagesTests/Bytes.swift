import HTTPMessages

/// A buffer that holds `text`.
func buffer(_ text: String) -> ByteBuffer { buffer(Array(text.utf8)) }

func buffer(_ bytes: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer(capacity: max(1, bytes.count))
    buffer.append(bytes.span)
    return buffer
}

extension ByteBuffer {
    /// The bytes as text, broken UTF-8 repaired.
    var text: String { String(decoding: array, as: UTF8.self) }

    var array: [UInt8] {
        withBytes { bytes in bytes.indices.map { bytes[$0] } }
    }
}

/// The outcome of parsing: what a test compares.
enum Parsed: Equatable {
    case head(RequestHead)
    case incomplete
    case refused(Refusal)
}

func parse(_ text: String, limits: Limits = Limits()) -> Parsed { parse(Array(text.utf8), limits: limits) }

func parse(_ bytes: [UInt8], limits: Limits = Limits()) -> Parsed {
    var parser = RequestParser()
    do {
        guard let head = try parser.parse(bytes.span, limits: limits) else { return .incomplete }
        return .head(head)
    } catch {
        return .refused(error)
    }
}

/// Feeds the bytes in pieces of `size`, as far as the parser wants them.
func parseInPieces(_ bytes: [UInt8], of size: Int, limits: Limits = Limits()) -> Parsed {
    var parser = RequestParser()
    var end = 0
    repeat {
        end = min(end + size, bytes.count)
        do {
            if let head = try parser.parse(bytes.span.extracting(0..<end), limits: limits) { return .head(head) }
        } catch {
            return .refused(error)
        }
    } while end < bytes.count
    return .incomplete
}
