import COpenSSL
import HTTPMessages

/// The TLS of one connection: what `Socket` sends and receives through.
///
/// Errors are read from the thread's queue right after the call that made them (``OpenSSLErrors``).
@safe
struct TLSSession: ~Copyable {
    /// What became of an attempt to get on with the handshake.
    enum Progress: Equatable {
        case done(isResumed: Bool)
        case blocked
        case failed(TLSHandshakeResult)
    }

    private let ssl: OpaquePointer
    /// What the tickets of this connection are sealed with; held because OpenSSL keeps no reference.
    private let keys: TicketKeys
    private(set) var isEstablished = false
    /// Bytes have come that epoll knows nothing of, for they are in OpenSSL's buffer.
    private(set) var holdsInput = false
    /// No more calls but the one that frees it: SSL_get_error(3) after SSL_ERROR_SSL and SSL_ERROR_SYSCALL.
    private var isBroken = false
    /// Bytes of the socket up to the last read that brought bytes for us.
    private var usefulBytes: UInt64 = 0
    /// What the handshake, a read and a write are waiting for. TLS may have to write in order to read, and the other way.
    private var handshakeNeeds = Interest.read
    private(set) var readNeeds = Interest.read
    private var writeNeeds = Interest.write

    /// Bytes to read from the socket at a time, besides those that are wanted; and how many may come in records that hold
    /// nothing for us. The largest record has less than 17 KiB, so that who sends requests, however slowly, never gets there.
    private static var overheadBytesMax: Int { 64 * 1024 }

    /// Takes `ssl`, which is new, and a descriptor that has to outlive it. Nil when memory is short.
    init?(taking ssl: OpaquePointer, descriptor: Int32, keys: TicketKeys) {
        unsafe self.ssl = ssl
        self.keys = keys
        // SAFETY: the session is ours from here on, freed in deinit; it takes the BIO for both directions and frees it.
        guard let bio = unsafe SocketBIO.make(descriptor) else { return nil }
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_accept_state(ssl)
    }

    deinit {
        // SAFETY: made for this value and handed to nobody.
        unsafe SSL_free(ssl)
    }

    // MARK: Handshake

    mutating func shakeHands() -> Progress {
        if isBroken { return .failed(.closed) }
        OpenSSLErrors.clear()
        // SAFETY: the session is alive and not broken: a failure ends its use.
        unsafe SocketBIO.allowReading(SSL_get_rbio(ssl), bytesMax: Self.overheadBytesMax)
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
            usefulBytes = unsafe BIO_number_read(SSL_get_rbio(ssl))
            holdsInput = unsafe SSL_has_pending(ssl) == 1
            return .done(isResumed: unsafe SSL_session_reused(ssl) == 1)
        }
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: handshakeNeeds = .read
        case SSL_ERROR_WANT_WRITE: handshakeNeeds = .write
        case SSL_ERROR_SSL:
            isBroken = true
            return .failed(TLSHandshakeResult(reason: OpenSSLErrors.firstReason))
        default:
            isBroken = true
            return .failed(.closed)
        }
        return .blocked
    }

    // MARK: Bytes

    /// Reads up to `bytesMax` bytes to the end of `buffer`: a record, and those that came with it.
    ///
    /// - Returns: ``Transfer/failed`` also when 64 KiB came that held none for us: key updates without end are work for nothing.
    mutating func receive(into buffer: inout ByteBuffer, bytesMax: Int) -> Transfer {
        holdsInput = false
        readNeeds = .read
        if isBroken { return .failed }
        // SAFETY (all calls here): the session and its BIO are alive, and not broken.
        unsafe SocketBIO.allowReading(SSL_get_rbio(ssl), bytesMax: bytesMax + Self.overheadBytesMax)
        var total = 0
        while total < bytesMax {
            OpenSSLErrors.clear()
            var count = 0
            var result: Int32 = 0
            _ = unsafe buffer.appendUnsafely(room: bytesMax - total) { room in
                // SAFETY: OpenSSL writes at most room.count bytes, and says how many.
                result = unsafe SSL_read_ex(ssl, room.baseAddress, room.count, &count)
                return count
            }
            total += count
            if result == 1 {
                usefulBytes = unsafe BIO_number_read(SSL_get_rbio(ssl))
                // With nothing left inside, epoll reports what comes next: no need to ask the socket in vain.
                if unsafe SSL_has_pending(ssl) == 0 { return .bytes(total) }
                continue
            }
            let outcome: Transfer
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ:
                let isFlood =
                    unsafe BIO_number_read(SSL_get_rbio(ssl)) - usefulBytes > UInt64(Self.overheadBytesMax)
                isBroken = isFlood
                outcome = isFlood ? .failed : .blocked
            case SSL_ERROR_WANT_WRITE:
                readNeeds = .write
                outcome = .blocked
            case SSL_ERROR_ZERO_RETURN: outcome = .end
            default:
                isBroken = true
                outcome = .failed
            }
            if total == 0 { return outcome }
            // First the bytes; the end shows again at the next read, which epoll might not ask for.
            holdsInput = outcome != .blocked
            return .bytes(total)
        }
        holdsInput = unsafe SSL_has_pending(ssl) == 1
        return .bytes(total)
    }

    /// Sends from the front of `buffer`, a record of at most 16 KiB at a time, and takes away what was sent.
    ///
    /// After ``Transfer/blocked`` the same bytes have to be at the front at the next call, for a record of them may be half sent.
    ///
    /// - Returns: the bytes that the socket took: of a record that is not whole yet too, so that a slow client shows progress.
    mutating func send(_ buffer: inout ByteBuffer) -> Transfer {
        if isBroken { return .failed }
        // SAFETY (all calls here): the session and its BIO are alive, the bytes during the call.
        let before = unsafe BIO_number_written(SSL_get_wbio(ssl))
        writeNeeds = .write
        while !buffer.isEmpty {
            OpenSSLErrors.clear()
            var count = 0
            let result = buffer.withBytes { bytes in
                unsafe bytes.withUnsafeBytes { unsafe SSL_write_ex(ssl, $0.baseAddress, $0.count, &count) }
            }
            if result == 1 {
                buffer.removeFirst(count)
                continue
            }
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: writeNeeds = .read
            case SSL_ERROR_WANT_WRITE: break
            default:
                isBroken = true
                return .failed
            }
            break
        }
        let taken = unsafe BIO_number_written(SSL_get_wbio(ssl)) - before
        return taken > 0 ? .bytes(Int(taken)) : .blocked
    }

    /// Tells the client that this is the end and not an interruption (close_notify, RFC 8446 section 6.1). If the socket takes
    /// nothing now, the client is not told.
    mutating func end() {
        if !isEstablished || isBroken { return }
        isBroken = true
        OpenSSLErrors.clear()
        // SAFETY: the session is established and not broken. The answer is not waited for: the loop reads on, or closes.
        unsafe _ = SSL_shutdown(ssl)
    }

    /// What epoll has to report, when the connection wants to read, to write or both.
    func interest(for wanted: Interest) -> Interest {
        if !isEstablished { return handshakeNeeds }
        var interest: Interest = []
        if wanted.contains(.read) { interest.formUnion(readNeeds) }
        if wanted.contains(.write) { interest.formUnion(writeNeeds) }
        return interest
    }
}

extension TLSHandshakeResult {
    /// - Parameter reason: of the first error that the handshake left.
    fileprivate init(reason: Int32) {
        switch reason {
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            self = .noSharedCipher
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_UNKNOWN_PROTOCOL: self = .unsupportedVersion
        case SSL_R_NO_APPLICATION_PROTOCOL: self = .noApplicationProtocol
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .noClientCertificate
        case SSL_R_CERTIFICATE_VERIFY_FAILED: self = .badClientCertificate
        // Alerts of the client's are numbered from here on (RFC 8446 section 6).
        case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255): self = .clientAlert
        default: self = .protocolError
        }
    }
}
