/// What is fuzzed: each takes any bytes and throws when what it says about them does not hold.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Request parser, chunked decoder and connection state.
    case requests
    /// Splitting and percent-decoding of queries.
    case query
    case json
    /// Inflating of request bodies, compressing of answers.
    case gzip

    package func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        switch self {
        case .requests: try checkRequests(bytes)
        case .query: try checkQuery(bytes)
        case .json: try checkJSON(bytes)
        case .gzip: try checkGzip(bytes)
        }
    }
}

/// Bytes about which a property does not hold.
package struct BrokenProperty: Error, CustomStringConvertible {
    package let description: String
}

func expect(_ holds: Bool, _ broken: @autoclosure () -> String) throws(BrokenProperty) {
    if !holds { throw BrokenProperty(description: broken()) }
}
