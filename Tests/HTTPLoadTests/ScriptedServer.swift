import Foundation
import Synchronization

/// A server on a port of its own that does to every request what its script says. One blocking thread a connection.
@safe
final class ScriptedServer: Sendable {
    enum Act: Sendable {
        case answer(String)
        /// Sleeps first: a stall of the whole connection.
        case late(seconds: Double, String)
        /// Sends this much and closes.
        case close(after: String)
        /// Stops listening, sends this much and closes.
        case stop(after: String)
        /// Ends the connection with a reset.
        case reset
        /// Reads on and never answers.
        case silence
    }

    /// What came: the request line, and where on its connection.
    struct Seen: Sendable, Equatable {
        var connection: Int
        /// From 0.
        var place: Int
        var line: String
        var body: String
    }

    let port: Int
    private let listener: Int32
    private let script: @Sendable (Seen) -> Act
    private let everything = Mutex<[Seen]>([])

    var seen: [Seen] { everything.withLock { $0 } }

    init(_ script: @escaping @Sendable (Seen) -> Act) throws {
        self.script = script
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = listening
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the struct lives for the calls, and its true size is given.
        let listens = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listening, $0, length) == 0 && listen(listening, 256) == 0
                    && getsockname(listening, $0, &length) == 0
            }
        }
        guard listens else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        port = Int(in_port_t(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            var number = 0
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0, let server = self else { return }
                let accepted = number
                number += 1
                Thread.detachNewThread { server.serve(connection, accepted) }
            }
        }
    }

    /// Ends the accepting thread; those of the connections end with their clients.
    func stop() {
        // Wakes accept, which close would not; the descriptor's number stays taken until the process ends.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func serve(_ connection: Int32, _ number: Int) {
        defer { close(connection) }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        // SAFETY: the struct lives for the call, and its true size is given.
        unsafe setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var held: [UInt8] = []
        var place = 0
        while let (line, body) = nextRequest(connection, &held) {
            let request = Seen(connection: number, place: place, line: line, body: body)
            everything.withLock { $0.append(request) }
            place += 1
            switch script(request) {
            case .answer(let text): send(connection, text)
            case .late(let seconds, let text):
                Thread.sleep(forTimeInterval: seconds)
                send(connection, text)
            case .close(let text):
                send(connection, text)
                return
            case .stop(let text):
                stop()
                send(connection, text)
                return
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                // SAFETY: as above.
                unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                return
            case .silence: break
            }
        }
    }

    private func nextRequest(_ connection: Int32, _ held: inout [UInt8]) -> (line: String, body: String)? {
        while true {
            let text = String(decoding: held, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let head = text[..<end.lowerBound]
                let length = head.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
                let whole = text[..<end.upperBound].utf8.count + length
                if held.count >= whole {
                    let body = String(decoding: held[(whole - length)..<whole], as: UTF8.self)
                    held.removeFirst(whole)
                    return (String(head.prefix { $0 != "\r\n" }), body)
                }
            }
            var chunk = [UInt8](repeating: 0, count: 65536)
            // SAFETY: at most the array's bytes are written.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(connection, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return nil }
            held += chunk[..<count]
        }
    }

    private func send(_ connection: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        // SAFETY: the array's bytes are read during the call; the answers here fit a socket's buffer.
        _ = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
    }
}

/// An answer with a body of two bytes.
func answer(_ status: Int, version: Int? = nil, closes: Bool = false) -> String {
    "HTTP/1.1 \(status) Reason\r\nContent-Length: 2\r\n" + (version.map { "X-Model-Version: \($0)\r\n" } ?? "")
        + (closes ? "Connection: close\r\n" : "") + "\r\n{}"
}
