/// Makes the body of one answer piece by piece, for bodies too large to lie in memory at once.
///
/// Asked for the next piece only when the socket has taken all before it, and once a turn: a slow client costs one piece of
/// memory, and the other connections of the loop are answered between two pieces. Called on the loop's thread only.
package protocol BodyProducer: AnyObject {
    /// Appends the next piece, tens of kilobytes if there are as many, and makes it quickly: every connection waits.
    ///
    /// - Returns: whether there is more. A piece may be empty.
    func producePiece(into body: inout ByteBuffer) -> Bool

    /// The answer is over. Called once, before the observer is told.
    ///
    /// - Parameter wasWhole: false when the connection was lost, or cut, before the last piece.
    func ended(wasWhole: Bool)
}

extension ByteBuffer {
    /// Digits of a chunk's size; leading zeros are allowed (RFC 9112 section 7.1).
    private static var chunkSizeDigits: Int { 8 }

    /// Appends what `write` appends as one chunk. Nothing when it appends nothing: an empty chunk would end the body.
    package mutating func appendChunk<R>(_ write: (inout ByteBuffer) -> R) -> R {
        let sizeStart = count
        append("00000000\r\n")
        let dataStart = count
        let result = write(&self)
        precondition(count >= dataStart, "BUG: a body writer took bytes away")
        let size = count - dataStart
        if size == 0 {
            truncate(to: sizeStart)
            return result
        }
        precondition(size <= UInt32.max, "BUG: a chunk of four gigabytes")
        var digits = InlineArray<8, UInt8>(repeating: UInt8(ascii: "0"))
        for place in 0..<Self.chunkSizeDigits {
            let digit = UInt8(truncatingIfNeeded: size >> (4 * (Self.chunkSizeDigits - 1 - place)) & 15)
            digits[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
        }
        overwrite(at: sizeStart, with: digits.span)
        append("\r\n")
        return result
    }

    /// Ends a chunked body, without trailers.
    package mutating func appendLastChunk() { append("0\r\n\r\n") }
}
