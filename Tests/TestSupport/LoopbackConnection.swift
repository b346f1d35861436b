import Glibc

/// An answer as it came over the wire.
package struct HTTPAnswer: Sendable {
    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    package let body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// A blocking HTTP/1.1 client connection to a loopback port, for tests, in the clear or over TLS: sends exactly what it is told.
///
/// Every read gives up after ten seconds, so that a server that hangs fails its test instead of stopping the run.
@safe
package final class LoopbackConnection {
    package enum Failure: Error {
        case connect(errno: Int32)
        case send(errno: Int32)
        case receive(errno: Int32)
        /// The peer closed before a whole answer came; what came is given.
        case closed(String)
        case notHTTP(String)
        /// A handshake that failed, a record that is none.
        case tls(TLSClientSession.Failed)
    }

    private let socket: Int32
    private var tls: TLSClientSession?
    private var held: [UInt8] = []

    /// - Parameter tls: how to shake hands; nil for a connection in the clear.
    package init(port: Int, tls options: TLSClientSession.Options? = nil) throws(Failure) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        // SAFETY: both structs live for the calls, and their true sizes are given.
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // The deinitializer closes it, also when this throws: twice would close what another thread opened meanwhile.
        guard connected == 0 else { throw .connect(errno: errno) }
        if let options { try shakeHands(options) }
    }

    private func shakeHands(_ options: TLSClientSession.Options) throws(Failure) {
        let session = try Self.tls { () throws(TLSClientSession.Failed) in try TLSClientSession(options) }
        tls = session
        while try !Self.tls({ () throws(TLSClientSession.Failed) in try session.shakeHands() }) {
            try sendRaw(session.takeOutgoing())
            session.putIncoming(try receiveRaw())
        }
        try sendRaw(session.takeOutgoing())
    }

    private static func tls<R>(_ step: () throws(TLSClientSession.Failed) -> R) throws(Failure) -> R {
        do throws(TLSClientSession.Failed) { return try step() } catch { throw .tls(error) }
    }

    deinit { close(socket) }

    /// From now on closing the connection resets it.
    package func resetAtClose() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        // SAFETY: the struct lives for the call, and its true size is given.
        unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    package func get(_ target: String, headers: [String: String] = [:]) throws(Failure) -> HTTPAnswer {
        let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        try send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(lines)\r\n")
        return try receive()
    }

    package func send(_ text: String) throws(Failure) { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws(Failure) {
        guard let tls else { return try sendRaw(bytes) }
        try Self.tls { () throws(TLSClientSession.Failed) in try tls.write(bytes) }
        try sendRaw(tls.takeOutgoing())
    }

    private func sendRaw(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            // SAFETY: the range from `sent` to the end is inside the array.
            let count = unsafe bytes.withUnsafeBytes { source in
                unsafe Glibc.send(
                    socket, source.baseAddress.map { unsafe $0 + sent }, source.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .send(errno: errno) }
            sent += count
        }
    }

    /// No more requests: the server sees the end of the stream and may still answer.
    package func finishSending() {
        if let tls {
            tls.sayGoodbye()
            try? sendRaw(tls.takeOutgoing())
        }
        shutdown(socket, Int32(SHUT_WR))
    }

    /// The next answer. `bodyless` for an answer to HEAD.
    package func receive(bodyless: Bool = false) throws(Failure) -> HTTPAnswer {
        var headEnd = end(of: held)
        while headEnd == nil {
            try more()
            headEnd = end(of: held)
        }
        let head = String(decoding: held[..<(headEnd ?? 0)], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        guard let first = lines.first, first.hasPrefix("HTTP/1.1 "), let status = Int(first.dropFirst(9).prefix(3))
        else {
            throw .notHTTP(head)
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .notHTTP(head) }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].drop { $0 == " " }.description
        }
        held.removeFirst(headEnd ?? 0)
        if headers["transfer-encoding"] == "chunked", !bodyless {
            return HTTPAnswer(status: status, headers: headers, body: try chunks())
        }
        let length = bodyless ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        while held.count < length { try more() }
        let body = Array(held[..<length])
        held.removeFirst(length)
        return HTTPAnswer(status: status, headers: headers, body: body)
    }

    /// A chunked body without extensions and trailers, joined.
    private func chunks() throws(Failure) -> [UInt8] {
        var body: [UInt8] = []
        while true {
            var lineEnd = held.firstIndex(of: 10)
            while lineEnd == nil {
                try more()
                lineEnd = held.firstIndex(of: 10)
            }
            let line = String(decoding: held[..<(lineEnd ?? 0)], as: UTF8.self)
            guard line.hasSuffix("\r"), let size = Int(line.dropLast(), radix: 16) else { throw .notHTTP(line) }
            held.removeFirst(line.utf8.count + 1)
            while held.count < size + 2 { try more() }
            guard held[size] == 13, held[size + 1] == 10 else {
                throw .notHTTP("a chunk of \(size) bytes without its end")
            }
            body += held[..<size]
            held.removeFirst(size + 2)
            if size == 0 { return body }
        }
    }

    /// Everything up to the end of the connection.
    package func receiveToEnd() throws(Failure) -> String {
        while true {
            do throws(Failure) {
                try more()
            } catch {
                guard case .closed(let all) = error else { throw error }
                held = []
                return all
            }
        }
    }

    /// Whether the server has closed: waits for the end of the stream and says false when bytes come instead.
    package func isClosedByPeer() throws(Failure) -> Bool {
        guard held.isEmpty else { return false }
        do throws(Failure) {
            try more()
            return false
        } catch {
            if case .closed = error { return true }
            throw error
        }
    }

    private func more() throws(Failure) {
        guard let tls else {
            held.append(contentsOf: try receiveRaw())
            return
        }
        while true {
            guard let bytes = try Self.tls({ () throws(TLSClientSession.Failed) in try tls.read() }) else {
                tls.putIncoming(try receiveRaw())
                continue
            }
            if bytes.isEmpty { throw .closed(String(decoding: held, as: UTF8.self)) }
            held.append(contentsOf: bytes)
            return
        }
    }

    private func receiveRaw() throws(Failure) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 65536)
        // SAFETY: at most the array's bytes are written.
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, $0.count, 0) }
        if count == 0 { throw .closed(String(decoding: held, as: UTF8.self)) }
        if count < 0 { throw .receive(errno: errno) }
        return Array(chunk[..<count])
    }

    /// The place after the empty line that ends a head.
    private func end(of bytes: [UInt8]) -> Int? {
        let mark: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4 else { return nil }
        return (0...(bytes.count - 4)).first { bytes[$0..<($0 + 4)].elementsEqual(mark) }.map { $0 + 4 }
    }
}
