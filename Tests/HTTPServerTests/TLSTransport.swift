import HTTPServer
import TestSupport
import Testing

/// What the servers and clients of the running test speak.
enum Transport: Sendable {
    case clear, tls

    @TaskLocal static var current = Transport.clear

    func serverContext() throws -> TLSContext? { self == .clear ? nil : try tlsContext() }
    var clientOptions: TLSClientSession.Options? { self == .clear ? nil : TLSClientSession.Options() }
}

/// A context with the certificate of ``TestCertificates/server``, unless changed.
func tlsContext(_ change: (inout TLSConfiguration, TestCertificates) -> Void = { _, _ in }) throws -> TLSContext {
    let made = try TestCertificates.made.get()
    var configuration = TLSConfiguration(certificatePath: made.server.certificate, keyPath: made.server.key)
    change(&configuration, made)
    return try TLSContext(configuration)
}

/// Runs every test of a suite twice: what a server does is the same over TLS.
struct TransportTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await Transport.$current.withValue(.clear) { try await function() }
        do {
            try await Transport.$current.withValue(.tls) { try await function() }
        } catch {
            Issue.record("over TLS: \(error)")
        }
    }
}

extension Trait where Self == TransportTrait {
    static var inTheClearAndOverTLS: Self { TransportTrait() }
}
