// The least that a SwiftNIO server does: fixed bodies on one event loop, keep-alive and pipelining as NIOHTTP1 has them.
//
//     nio-hello PORT LIVEZ-BODY OTHER-BODY

import NIOCore
import NIOHTTP1
import NIOPosix

final class Hello: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let livez: (head: HTTPResponseHead, body: ByteBuffer)
    private let other: (head: HTTPResponseHead, body: ByteBuffer)
    private var isLivez = false

    init(livez: String, other: String) {
        func answer(_ text: String) -> (HTTPResponseHead, ByteBuffer) {
            let body = ByteBuffer(string: text)
            let headers: HTTPHeaders = [
                "Content-Length": String(body.readableBytes), "Content-Type": "application/json",
            ]
            return (HTTPResponseHead(version: .http1_1, status: .ok, headers: headers), body)
        }
        self.livez = answer(livez)
        self.other = answer(other)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): isLivez = head.uri.hasPrefix("/livez")
        case .body: break
        case .end:
            let (head, body) = isLivez ? livez : other
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let port = Int(arguments[1]) else { fatalError("wanted PORT LIVEZ-BODY OTHER-BODY") }
let (livez, other) = (arguments[2], arguments[3])
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let channel = try ServerBootstrap(group: group)
    .serverChannelOption(.backlog, value: 1024)
    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
    .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
            try channel.pipeline.syncOperations.addHandler(Hello(livez: livez, other: other))
        }
    }
    .bind(host: "127.0.0.1", port: port).wait()
try channel.closeFuture.wait()
