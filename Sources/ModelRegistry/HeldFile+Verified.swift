import Dispatch
import FactorModel
import Glibc
import Synchronization

extension HeldFile {
    /// Reads the file for its SHA-256 unless a record has it.
    ///
    /// - Parameter recordedBytes: the file's length is added when a record spares reading it.
    borrowing func checkDigest(
        _ file: Manifest.File, path: String, _ options: OpenOptions, _ recordedBytes: inout Int
    ) throws(RegistryError) {
        try verified(file, path: path, options, &recordedBytes) { _, _ in }
    }

    /// What `open` makes of the file, once its digest and its values were checked, or a record says that they were.
    ///
    /// With several threads both are checked at a time: neither trusts a byte, nothing leaves here before both are done, and a wrong
    /// digest is told first. With one the digest comes first: of a file that is damaged nothing more need be read.
    ///
    /// - Parameters:
    ///   - recordedBytes: the file's length is added when a record spares reading it.
    ///   - open: given a path to this very file, and false when its values need not be looked at.
    borrowing func verified<Value: Sendable>(
        _ file: Manifest.File, path: String, _ options: OpenOptions, _ recordedBytes: inout Int,
        open: @escaping @Sendable (_ path: String, _ checksValues: Bool) throws(ModelFileError) -> Value
    ) throws(RegistryError) -> Value {
        guard identity.bytes == file.bytes else {
            throw .wrongSize(path: path, got: identity.bytes, wanted: file.bytes)
        }
        let ownPath = ownPath
        if isRecorded(file, options) {
            let value = try Self.opened(path) { () throws(ModelFileError) in try open(ownPath, false) }
            try checkUnchanged()
            recordedBytes += file.bytes
            return value
        }
        let began = Glibc.time(nil)
        let descriptor = descriptor
        let digest: @Sendable () -> Result<Void, RegistryError> = {
            Result { () throws(RegistryError) in
                let found = try sha256(of: descriptor, path: path, bytesPerSecondMax: options.bytesPerSecondMax)
                guard found == file.sha256 else { throw .wrongDigest(path: path, got: found, wanted: file.sha256) }
            }
        }
        let values: @Sendable () -> Result<Value, RegistryError> = {
            Result { () throws(RegistryError) in
                try Self.opened(path) { () throws(ModelFileError) in try open(ownPath, true) }
            }
        }
        let value: Value
        if options.threads > 1 {
            let (first, second) = together(digest, values)
            try first.get()
            value = try second.get()
        } else {
            try digest().get()
            value = try values().get()
        }
        try checkUnchanged()
        options.records?.remember(identity, sha256: file.sha256, readSince: began)
        return value
    }

    /// Whether a record says that this file, as it is, was read and passed.
    borrowing func isRecorded(_ file: Manifest.File, _ options: OpenOptions) -> Bool {
        options.records?.vouches(for: identity, sha256: file.sha256) == true
    }

    private static func opened<Value>(
        _ path: String, _ open: () throws(ModelFileError) -> Value
    ) throws(RegistryError) -> Value {
        do throws(ModelFileError) {
            return try open()
        } catch {
            throw .badModelFile(path: path, error)
        }
    }
}

/// Runs both, each on a thread of its own if there is one.
private func together<A: Sendable, B: Sendable>(_ a: @Sendable () -> A, _ b: @Sendable () -> B) -> (A, B) {
    let first = Mutex<A?>(nil)
    let second = Mutex<B?>(nil)
    DispatchQueue.concurrentPerform(iterations: 2) { place in
        if place == 0 {
            let made = a()
            first.withLock { $0 = made }
        } else {
            let made = b()
            second.withLock { $0 = made }
        }
    }
    guard let a = first.withLock({ $0 }), let b = second.withLock({ $0 }) else {
        preconditionFailure("BUG: work that did not run")
    }
    return (a, b)
}
