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
        try checkLength(file, path)
        if isRecorded(file, .bytes, options) {
            recordedBytes += file.bytes
            return
        }
        let began = Glibc.time(nil)
        try Self.checkDigest(of: descriptor, file, path, options)
        try checkUnchanged()
        options.records?.remember(identity, sha256: file.sha256, checked: .bytes, readSince: began)
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
        try checkLength(file, path)
        let ownPath = ownPath
        if isRecorded(file, .values, options) {
            let value = try Self.opened(path) { () throws(ModelFileError) in try open(ownPath, false) }
            try checkUnchanged()
            recordedBytes += file.bytes
            return value
        }
        let began = Glibc.time(nil)
        let descriptor = descriptor
        let values = { () throws(RegistryError) in
            try Self.opened(path) { () throws(ModelFileError) in try open(ownPath, true) }
        }
        let value: Value
        if options.threads > 1 {
            value = try together(values) { () throws(RegistryError) in
                try Self.checkDigest(of: descriptor, file, path, options)
            }
        } else {
            try Self.checkDigest(of: descriptor, file, path, options)
            value = try values()
        }
        try checkUnchanged()
        options.records?.remember(identity, sha256: file.sha256, checked: .values, readSince: began)
        return value
    }

    /// Whether a record says that this file, as it is, was read and passed.
    borrowing func isRecorded(
        _ file: Manifest.File, _ checked: VerificationRecords.Checked, _ options: OpenOptions
    ) -> Bool {
        options.records?.vouches(for: identity, sha256: file.sha256, checked: checked) == true
    }

    private borrowing func checkLength(_ file: Manifest.File, _ path: String) throws(RegistryError) {
        guard identity.bytes == file.bytes else {
            throw .wrongSize(path: path, got: identity.bytes, wanted: file.bytes)
        }
    }

    private static func checkDigest(
        of descriptor: Int32, _ file: Manifest.File, _ path: String, _ options: OpenOptions
    ) throws(RegistryError) {
        let found = try sha256(
            of: descriptor, path: path, bytesPerSecondMax: options.bytesPerSecondMax, interruption: options.interruption
        )
        guard found == file.sha256 else { throw .wrongDigest(path: path, got: found, wanted: file.sha256) }
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

/// Runs `work` here and `check` on another thread meanwhile, or before it where the system makes no more threads.
///
/// - Throws: what the check does, before what the work does.
private func together<Value>(
    _ work: () throws(RegistryError) -> Value, _ check: @escaping @Sendable () throws(RegistryError) -> Void
) throws(RegistryError) -> Value {
    let checked = Mutex<Result<Void, RegistryError>?>(nil)
    let checker = HelperThread {
        let outcome = Result { () throws(RegistryError) in try check() }
        checked.withLock { $0 = outcome }
    }
    guard let checker else {
        try check()
        return try work()
    }
    let done = Result { () throws(RegistryError) in try work() }
    checker.join()
    try checked.withLock { $0 }?.get()
    return try done.get()
}
