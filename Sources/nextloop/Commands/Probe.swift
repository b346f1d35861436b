import ArgumentParser
import FactorModel
import Glibc

struct Probe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Asks a local server whether it is ready; for container health checks and scripts.",
        discussion: """
            Exits 0 when GET /readyz answers 200 within two seconds, 1 when not. Speaks no TLS: a server with certificates is asked by a \
            socket of its own (serve --listen unix:PATH, probe --unix PATH).
            """)

    @Option(help: "Port on 127.0.0.1.")
    var port = 8080

    @Option(help: ArgumentHelp("Unix socket to ask instead, at most 107 bytes.", valueName: "path"))
    var unix: String?

    func validate() throws {
        guard (1...65535).contains(port) else { throw ValidationError("--port is \(port); wanted 1 to 65535.") }
        if let unix, !(1...107).contains(unix.utf8.count) {
            throw ValidationError("--unix has \(unix.utf8.count) bytes; wanted 1 to 107.")
        }
    }

    private var place: String { unix ?? "127.0.0.1:\(port)" }

    func run() throws {
        let statusLine = try readStatusLine()
        guard statusLine.hasPrefix("HTTP/1.1 200 ") else {
            throw CommandFailure(
                .other, "not ready: got '\(statusLine)', wanted HTTP/1.1 200 from /readyz on \(place)")
        }
        standardOutput("ready\n")
    }

    /// The first line of the answer; at most 64 bytes of it, which hold the status.
    private func readStatusLine() throws -> String {
        let file = socket(unix == nil ? AF_INET : AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard file >= 0 else { throw CommandFailure(.io, "no socket: \(systemMessage(errno))") }
        defer { close(file) }
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            // SAFETY: the struct lives for the call and its true size is given.
            unsafe setsockopt(file, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard (unix.map { connect(file, toSocket: $0) } ?? connectToPort(file)) == 0 else {
            throw CommandFailure(.other, "not ready: nothing answers on \(place) (\(systemMessage(errno)))")
        }
        let request = Array("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        var answer = [UInt8](repeating: 0, count: 64)
        // SAFETY: the arrays' own counts bound what is read and written.
        let sent = unsafe request.withUnsafeBytes { unsafe send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        let got = unsafe answer.withUnsafeMutableBytes { unsafe recv(file, $0.baseAddress, $0.count, 0) }
        guard sent == request.count, got > 0 else {
            throw CommandFailure(.other, "not ready: no answer from \(place) within two seconds")
        }
        let line = answer[..<got].prefix { $0 >= 0x20 && $0 < 0x7F }
        return String(decoding: line, as: UTF8.self)
    }

    private func connectToPort(_ file: Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        // SAFETY: the struct lives for the call and its true size is given.
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// - Precondition: at most 107 bytes: one is left for the NUL.
    private func connect(_ file: Int32, toSocket path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: `path` has fewer bytes than the field, whose rest stays zero.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in unsafe field.copyBytes(from: path.utf8) }
        // SAFETY: the struct lives for the call and its true size is given.
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
