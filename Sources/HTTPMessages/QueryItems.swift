/// Calls `body` with each `name=value` of a query in order, both still percent-encoded.
///
/// Items are separated by `&`; the first `=` separates name and value. An item without `=` has a nil value; empty items
/// (`a=1&&b=2`, a trailing `&`) are skipped. The ranges count from the start of `query`.
///
/// - Throws: what `body` throws, at once.
@inlinable
package func forEachQueryItem<E: Error>(
    in query: Span<UInt8>, _ body: (_ name: Range<Int>, _ value: Range<Int>?) throws(E) -> Void
) throws(E) {
    var start = 0
    while start < query.count {
        var nameEnd = start
        while nameEnd < query.count, query[nameEnd] != UInt8(ascii: "="), query[nameEnd] != UInt8(ascii: "&") {
            nameEnd += 1
        }
        var end = nameEnd
        while end < query.count, query[end] != UInt8(ascii: "&") { end += 1 }
        if nameEnd < end {
            try body(start..<nameEnd, (nameEnd + 1)..<end)
        } else if start < end {
            try body(start..<end, nil)
        }
        start = end + 1
    }
}
