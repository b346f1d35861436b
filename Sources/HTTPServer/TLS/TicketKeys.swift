import COpenSSL
import HTTPMessages
import Synchronization

/// The keys that session tickets are sealed with: AES-256-CBC and HMAC-SHA-256 (RFC 5077 section 4).
///
/// Of the process and not of a certificate, so that a reload costs no client its session. A key seals for
/// ``rotationSeconds`` and then opens for as long as a session may last: whoever gets hold of a key in memory can read no
/// TLS 1.2 session older than that. TLS 1.3 makes new keys at each resumption, so there is nothing to read.
final class TicketKeys: Sendable {
    struct Key: Equatable, Sendable {
        let name: [UInt8]
        let cipher: [UInt8]
        let mac: [UInt8]
        let madeAt: MonotonicTime

        /// Nil when the system has no random bytes to give.
        init?(now: MonotonicTime) {
            var bytes = [UInt8](repeating: 0, count: 80)
            // SAFETY: OpenSSL writes as many bytes as the array has.
            let made = unsafe bytes.withUnsafeMutableBufferPointer {
                unsafe RAND_bytes($0.baseAddress, Int32($0.count))
            }
            guard made == 1 else { return nil }
            name = Array(bytes[..<16])
            cipher = Array(bytes[16..<48])
            mac = Array(bytes[48...])
            madeAt = now
        }
    }

    enum Found: Equatable {
        case current(Key)
        /// Good to open with; the client should be given a new ticket.
        case previous(Key)
    }

    static let rotationSeconds: UInt64 = 8 * 3600
    /// How long a ticket is good for.
    static let sessionSeconds: UInt64 = 3600

    private let keys = Mutex<(current: Key?, previous: Key?)>((nil, nil))

    /// The key to seal with, made or replaced when its time has come.
    func sealing(now: MonotonicTime) -> Key? {
        keys.withLock { keys in
            let end = keys.current.map { $0.madeAt + Self.rotationSeconds * 1_000_000_000 }
            if let end, now < end { return keys.current }
            // Without random bytes the old key is better than a ticket nobody can open.
            guard let next = Key(now: now) else { return keys.current }
            keys.previous = keys.current
            keys.current = next
            return next
        }
    }

    /// The key of a ticket; nil when it is none of ours, or too old.
    func opening(name: [UInt8], now: MonotonicTime) -> Found? {
        keys.withLock { keys in
            let lifetime = (Self.rotationSeconds + Self.sessionSeconds) * 1_000_000_000
            for key in [keys.current, keys.previous] {
                guard let key, key.name == name, now < key.madeAt + lifetime else { continue }
                return key == keys.current ? .current(key) : .previous(key)
            }
            return nil
        }
    }

    // MARK: OpenSSL's side

    /// Makes a context use these keys.
    ///
    /// The context keeps no reference: the keys have to live as long as any connection of it, which is why a
    /// ``TLSSession`` holds them.
    func attach(to context: OpaquePointer) {
        // SAFETY: application data number 0 is ours; the callback reads it as what is stored here.
        unsafe SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context) { ssl, name, iv, cipher, mac, isSealing in
            guard let name = unsafe name, let iv = unsafe iv, let cipher = unsafe cipher, let mac = unsafe mac,
                let data = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0)
            else { return -1 }
            let keys = unsafe Unmanaged<TicketKeys>.fromOpaque(data).takeUnretainedValue()
            return isSealing == 1
                ? unsafe keys.seal(name, iv, cipher, mac) : unsafe keys.open(name, iv, cipher, mac)
        }
    }

    /// - Returns: 1 for done, -1 to end the handshake, as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) says.
    private func seal(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> Int32 {
        guard let key = sealing(now: Clock.now()) else { return -1 }
        // SAFETY: OpenSSL gives room for a name of 16 bytes and an IV of EVP_MAX_IV_LENGTH, 16 too.
        unsafe name.update(from: key.name, count: 16)
        guard unsafe RAND_bytes(iv, 16) == 1,
            unsafe EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipher, iv) == 1
        else { return -1 }
        return unsafe Self.keyMAC(mac, key)
    }

    /// - Returns: 1 for done, 2 for done and renew, 0 for a full handshake instead.
    private func open(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer,
        _ mac: OpaquePointer
    ) -> Int32 {
        // SAFETY: the name of a ticket has 16 bytes, its IV 16.
        let wanted = unsafe Array(UnsafeBufferPointer(start: name, count: 16))
        let key: Key
        let done: Int32
        switch opening(name: wanted, now: Clock.now()) {
        case nil: return 0
        case .current(let found): (key, done) = (found, 1)
        case .previous(let found): (key, done) = (found, 2)
        }
        guard unsafe EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipher, iv) == 1,
            unsafe Self.keyMAC(mac, key) == 1
        else { return -1 }
        return done
    }

    private static func keyMAC(_ mac: OpaquePointer, _ key: Key) -> Int32 {
        var bytes = key.mac
        // SAFETY: OpenSSL copies as many bytes as the array has.
        let done = unsafe bytes.withUnsafeMutableBytes {
            unsafe copenssl_ticket_mac_init(mac, $0.baseAddress, $0.count)
        }
        return done == 1 ? 1 : -1
    }
}
