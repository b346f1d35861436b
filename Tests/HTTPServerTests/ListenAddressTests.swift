import Glibc
import HTTPServer
import Testing

@Suite("Listen addresses") struct ListenAddressTests {
    @Test("an address, a port and a path are read")
    func reads() {
        #expect(ListenAddress("127.0.0.1:8080") == .tcp(host: "127.0.0.1", port: 8080))
        #expect(ListenAddress("localhost:0") == .tcp(host: "localhost", port: 0))
        #expect(ListenAddress("[::1]:65535") == .tcp(host: "[::1]", port: 65_535))
        #expect(ListenAddress("unix:/run/a:b.sock") == .unix(path: "/run/a:b.sock"))
    }

    @Test(
        "anything else is not",
        arguments: [
            "", "8080", "127.0.0.1", "127.0.0.1:", ":8080", "127.0.0.1:65536", "127.0.0.1:+1", "127.0.0.1:80x",
            "::1:80",
            "unix:", "[::1]", "127.0.0.1:000080",
        ])
    func refuses(text: String) { #expect(ListenAddress(text) == nil) }

    @Test("an inherited socket is asked whether it is a Unix socket", arguments: [AF_UNIX, AF_INET, AF_INET6])
    func inherited(family: Int32) throws {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        #expect(ListenAddress.inherited(descriptor: descriptor).isUnixSocket == (family == AF_UNIX))
        close(descriptor)
        #expect(ListenAddress.unix(path: "/a").isUnixSocket && !ListenAddress.tcp(host: "::1", port: 1).isUnixSocket)
        #expect(!ListenAddress.inherited(descriptor: -1).isUnixSocket)
    }

    @Test("an address is written as it is read")
    func writes() {
        for text in ["127.0.0.1:80", "[::1]:80", "unix:/a"] { #expect(ListenAddress(text).map { "\($0)" } == text) }
        #expect("\(ListenAddress.tcp(host: "::1", port: 80))" == "[::1]:80")
    }
}
