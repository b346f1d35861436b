import Glibc
import TestSupport

/// A blocking TCP client on the loopback interface, with a time limit on every read; over TLS when asked.
final class TestClient {
    private let descriptor: Int32
    private var dribbles = false
    private(set) var tls: TLSClientSession?

    struct Failed: Error {
        var call: String
        var code: Int32
    }

    convenience init(
        port: Int, receiveBufferBytes: Int32? = nil, seconds: Int = 5,
        tls options: TLSClientSession.Options? = Transport.current.clientOptions
    ) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try self.init(AF_INET, &address, receiveBufferBytes, seconds)
        if let options { try startTLS(options) }
    }

    /// A client on `::1`.
    convenience init(port6 port: Int) throws {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = UInt16(port).bigEndian
        // SAFETY: every reading of the union is bytes.
        unsafe address.sin6_addr.__in6_u.__u6_addr8.15 = 1
        try self.init(AF_INET6, &address, nil, 5)
    }

    convenience init(path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the copy is bounded by the field.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            for (index, byte) in path.utf8.enumerated() where index < field.count - 1 { unsafe field[index] = byte }
        }
        try self.init(AF_UNIX, &address, nil, 5)
    }

    private init<Address>(_ family: Int32, _ address: inout Address, _ receiveBufferBytes: Int32?, _ seconds: Int)
        throws
    {
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failed(call: "socket", code: errno) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        // SAFETY: the kernel reads the values during the calls only.
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var bytes = receiveBufferBytes {
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
                unsafe connect(descriptor, rebound, socklen_t(MemoryLayout<Address>.size))
            }
        }
        // The deinitializer closes it: it runs for an initializer that throws too, once every property is set. A second close
        // here would close what another thread has opened since under the same number.
        guard result == 0 else { throw Failed(call: "connect", code: errno) }
    }

    /// Shakes hands; for a client that said something in the clear first.
    func startTLS(_ options: TLSClientSession.Options) throws {
        dribbles = options.dribbles
        if dribbles {
            var on: Int32 = 1
            // SAFETY: the kernel reads the value during the call only.
            unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let session = try TLSClientSession(options)
        tls = session
        do {
            while try !session.shakeHands() {
                try sendRaw(session.takeOutgoing())
                let bytes = try receiveRaw()
                guard !bytes.isEmpty else { throw Failed(call: "end of connection in the handshake", code: 0) }
                session.putIncoming(bytes)
            }
            try sendRaw(session.takeOutgoing())
        } catch {
            // The alert that says why, for the server to count.
            try? sendRaw(session.takeOutgoing())
            throw error
        }
    }

    deinit { Glibc.close(descriptor) }

    /// From now on closing the connection resets it.
    func resetAtClose() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        // SAFETY: the kernel reads the value during the call only.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    /// Over TLS: as one record for each 16 KiB.
    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard let tls else { return try sendRaw(bytes) }
        try tls.write(bytes)
        try sendRaw(tls.takeOutgoing())
    }

    /// Sends bytes as they are, past TLS.
    func sendRaw(_ bytes: [UInt8]) throws {
        if dribbles, bytes.count > 1 {
            for byte in bytes { try sendRaw([byte]) }
            return
        }
        var sent = 0
        while sent < bytes.count {
            // SAFETY: the kernel reads within the array.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed(call: "send", code: errno) }
            sent += count
        }
    }

    func endOutput() {
        if let tls {
            tls.sayGoodbye()
            try? sendRaw(tls.takeOutgoing())
        }
        endRawOutput()
    }

    /// Ends our side without a word in TLS.
    func endRawOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes next; empty at the end. Over TLS the end is close_notify: without it, the end is an error.
    ///
    /// - Parameter bytesMax: of the socket.
    func receive(bytesMax: Int = 65_536) throws -> [UInt8] {
        guard let tls else { return try receiveRaw(bytesMax: bytesMax) }
        while true {
            if let bytes = try tls.read() { return bytes }
            let bytes = try receiveRaw(bytesMax: bytesMax)
            guard !bytes.isEmpty else { throw Failed(call: "end of connection without close_notify", code: 0) }
            tls.putIncoming(bytes)
        }
    }

    /// What the socket has, past TLS.
    func receiveRaw(bytesMax: Int = 65_536) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        // SAFETY: the kernel writes within the array.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw Failed(call: "recv", code: errno) }
        return Array(bytes.prefix(count))
    }

    /// Everything up to the end of the connection.
    func receiveAll() throws -> String {
        var all: [UInt8] = []
        while true {
            let bytes = try receive()
            if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += bytes
        }
    }

    private var ahead: [UInt8] = []

    /// The next answer with a Content-Length body.
    func response(hasBody: Bool = true) throws -> TestResponse {
        while true {
            if let response = TestResponse(&ahead, hasBody: hasBody) { return response }
            let bytes = try receive()
            guard !bytes.isEmpty else { throw Failed(call: "end of connection", code: 0) }
            ahead += bytes
        }
    }

    /// Whether nothing has come, the end neither.
    var hasNothing: Bool {
        var asked = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        // SAFETY: one struct, which the call reads and fills.
        return unsafe ahead.isEmpty && poll(&asked, 1, 0) == 0
    }

    /// Whether the server ended the connection, without another byte.
    func isAtEnd() throws -> Bool { try ahead.isEmpty && receive().isEmpty }
}

/// An answer taken apart by other means than the server's.
struct TestResponse: Equatable {
    var status: Int
    var headers: [String: String]
    var body: String

    /// Takes one answer off the front of `bytes`, if it is all there.
    init?(_ bytes: inout [UInt8], hasBody: Bool) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        guard let statusLine = lines.first, let status = Int(statusLine.split(separator: " ")[1]) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            headers[line[..<colon].lowercased()] = String(line[colon...].dropFirst().drop { $0 == " " })
        }
        let bodyStart = text.utf8.distance(from: text.startIndex, to: end.upperBound)
        let bodyCount = hasBody ? headers["content-length"].flatMap { Int($0) } ?? 0 : 0
        guard bytes.count >= bodyStart + bodyCount else { return nil }
        self.status = status
        self.headers = headers
        body = String(decoding: bytes[bodyStart..<(bodyStart + bodyCount)], as: UTF8.self)
        bytes.removeFirst(bodyStart + bodyCount)
    }
}
