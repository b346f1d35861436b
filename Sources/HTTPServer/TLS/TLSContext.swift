import Synchronization

/// A certificate, its key and the rules of a TLS listener; one for all listeners and loops.
///
/// ``reload()`` replaces what new connections get. Established ones keep what they have.
package final class TLSContext: Sendable, Equatable {
    package let configuration: TLSConfiguration
    let ticketKeys = TicketKeys()
    private let current: Mutex<TLSContextHandle>

    /// What is not wrong and yet worth a line in the log: found when the context was made.
    package let warnings: [String]

    /// Reads and checks the files.
    ///
    /// A certificate that has expired, or is not valid yet, is a warning and no error: the clock may be wrong, a proxy in
    /// front may not look, and a service that does not start helps nobody more than one whose clients complain.
    package init(_ configuration: TLSConfiguration) throws(TLSError) {
        self.configuration = configuration
        var warnings: [String] = []
        let handle = try TLSContextHandle(configuration, keys: ticketKeys, warnings: &warnings)
        self.warnings = warnings + Self.warnings(about: handle.validity, path: configuration.certificatePath)
        current = Mutex(handle)
    }

    /// Reads the files again and uses them for new connections. When they cannot be used nothing changes.
    ///
    /// Session tickets go on being accepted: their keys are of the process, not of the certificate.
    ///
    /// - Returns: warnings, as ``warnings``.
    /// - Throws: also ``TLSError/expired(path:expiredAt:)`` when the certificate in use is still valid and the new one is not.
    @discardableResult
    package func reload() throws(TLSError) -> [String] {
        var warnings: [String] = []
        let next = try TLSContextHandle(configuration, keys: ticketKeys, warnings: &warnings)
        let now = Clock.unixSeconds()
        let validity = next.validity
        if validity.notAfter < now, certificateExpiry >= now {
            throw .expired(path: configuration.certificatePath, expiredAt: validity.notAfter)
        }
        // A closure cannot consume what it captures, but it can empty an optional.
        var replacement: TLSContextHandle? = consume next
        current.withLock { current in
            if let next = replacement.take() { current = next }
        }
        return warnings + Self.warnings(about: validity, path: configuration.certificatePath)
    }

    /// When the certificate in use expires, in seconds since 1970.
    package var certificateExpiry: Int64 { current.withLock { $0.validity.notAfter } }

    /// A session over a connected socket, which has to outlive it. Nil when memory is short.
    func makeSession(_ descriptor: borrowing FileDescriptor) -> TLSSession? {
        // SAFETY: the session takes what is made here, and nobody else has it.
        guard let ssl = unsafe current.withLock({ unsafe $0.makeSSL() }) else { return nil }
        return unsafe TLSSession(taking: ssl, descriptor: descriptor.raw, keys: ticketKeys)
    }

    /// A context is itself, and like no other.
    package static func == (left: TLSContext, right: TLSContext) -> Bool { left === right }

    private static let warningDays: Int64 = 14

    private static func warnings(about validity: Certificate.Validity, path: String) -> [String] {
        let now = Clock.unixSeconds()
        if validity.notAfter < now {
            return [
                "the certificate in \(path) expired at \(validity.notAfter) (`date -ud @\(validity.notAfter)`): clients "
                    + "will refuse it; replace it and send SIGHUP"
            ]
        }
        if validity.notBefore > now {
            return [
                "the certificate in \(path) is not valid before \(validity.notBefore) (`date -ud @\(validity.notBefore)`): "
                    + "clients will refuse it; check this machine's clock"
            ]
        }
        if validity.notAfter - now < warningDays * 86_400 {
            return [
                "the certificate in \(path) expires in \((validity.notAfter - now) / 86_400) days; replace it and send "
                    + "SIGHUP"
            ]
        }
        return []
    }
}
