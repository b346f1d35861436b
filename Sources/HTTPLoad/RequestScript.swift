/// The requests of a run, rendered once and sent in turn, over and over.
package struct RequestScript: Sendable {
    /// One after another, so that a pipelined burst is one range of bytes.
    let bytes: [UInt8]
    /// The end of each request in `bytes`; request i begins where i - 1 ends.
    let ends: [Int]
    /// Whether answers have no body whatever their headers say.
    let isHead: Bool

    package enum Failure: Error, Equatable, CustomStringConvertible {
        case badTarget(String)
        case badMethod(String)
        case badHeader(String)
        case noTargets
        case tooLarge(bytes: Int)

        package var description: String {
            switch self {
            case .badTarget(let target):
                "target \(target.debugDescription): wanted a path that begins with / and holds no space or control"
            case .badMethod(let method): "method \(method.debugDescription): wanted 1 to 32 letters"
            case .badHeader(let line): "header \(line.debugDescription): wanted \"Name: value\" without line ends"
            case .noTargets: "no targets: wanted one path at least"
            case .tooLarge(let bytes):
                "all requests together have \(bytes) bytes; wanted at most \(RequestScript.bytesMax)"
            }
        }
    }

    /// All requests together, each with its body.
    package static let bytesMax = 1 << 30

    /// - Parameters:
    ///   - host: what `Host` says.
    ///   - headers: whole lines, `Name: value`.
    ///   - body: sent with every request, with its `Content-Length`; nil for none.
    package init(
        targets: [String], method: String, host: String, headers: [String] = [], body: [UInt8]? = nil
    ) throws(Failure) {
        guard !targets.isEmpty else { throw .noTargets }
        guard (1...32).contains(method.utf8.count), method.utf8.allSatisfy({ UInt8(ascii: "A")...90 ~= $0 & 0xDF })
        else { throw .badMethod(method) }
        for line in headers where !line.contains(":") || line.utf8.contains(where: { $0 < 32 && $0 != 9 }) {
            throw .badHeader(line)
        }
        var lines = ["Host: \(host)"] + headers
        if let body { lines.append("Content-Length: \(body.count)") }
        let head = lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for target in targets {
            guard target.hasPrefix("/"), target.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else {
                throw .badTarget(target)
            }
            bytes += Array("\(method) \(target) HTTP/1.1\r\n\(head)".utf8) + (body ?? [])
            ends.append(bytes.count)
            guard bytes.count <= Self.bytesMax else { throw .tooLarge(bytes: bytes.count) }
        }
        (self.bytes, self.ends) = (bytes, ends)
        isHead = method == "HEAD"
    }

    var count: Int { ends.count }

    /// The bytes of `requests`, which do not wrap around.
    func range(of requests: Range<Int>) -> Range<Int> {
        (requests.lowerBound == 0 ? 0 : ends[requests.lowerBound - 1])..<ends[requests.upperBound - 1]
    }
}
