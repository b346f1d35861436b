import Glibc

extension Registry {
    /// Items taken from sale; kept beside the aliases so that every process that serves the model sees them.
    package static let unavailableFileName = "unavailable.json"
    package static let unavailableBytesMax = 16 << 20
    private static let unavailableLockName = ".unavailable.lock"

    /// `unavailable.json` of a model; nil when there is none.
    package func unavailableBytes(of model: String) throws(RegistryError) -> [UInt8]? {
        try fileSystem.read(try unavailableFile(of: model), bytesMax: Self.unavailableBytesMax)
    }

    /// Replaces `unavailable.json` by one rename, durably, by what `update` makes of what is there: alone, so that no process
    /// loses another's marks.
    ///
    /// Under a lock of its own: the one of the versions may be held while a gigabyte is verified, and an operator waits for the answer.
    ///
    /// - Parameter update: nil for no change. Then nothing is written, and what is there is made durable all the same: an attempt before
    ///   this one may have ended between its rename and its synchronizing, and whoever repeats it is told that it holds.
    /// - Throws: `tooLarge` beyond ``unavailableBytesMax``, `locked` when another process holds the marks for a tenth of a second, and
    ///   what `update` throws: then nothing has changed. After `system` the change may be there and may be lost with the power: repeat it.
    package func updateUnavailable(
        of model: String, _ update: ([UInt8]?) throws(RegistryError) -> [UInt8]?
    ) throws(RegistryError) {
        let directory = try existingDirectory(of: model)
        let file = try unavailableFile(of: model)
        let lock = try lock("\(directory)/\(Self.unavailableLockName)", milliseconds: 100)
        if let bytes = try update(try unavailableBytes(of: model)) {
            guard bytes.count <= Self.unavailableBytesMax else { throw .tooLarge(path: file, bytes: bytes.count) }
            try replace(file, with: bytes)
        }
        try fileSystem.synchronize(directory: directory)
        _ = consume lock
    }

    func unavailableFile(of model: String) throws(RegistryError) -> String {
        "\(try existingDirectory(of: model))/\(Self.unavailableFileName)"
    }

    /// Waits for a lock, whose file is made if need be, for so long and no longer.
    func lock(_ path: String, milliseconds: Int) throws(RegistryError) -> FileLock {
        for _ in 0..<max(1, milliseconds / 2) {
            switch try fileSystem.tryLock(path, .exclusive) {
            case .locked(let lock): return lock
            case .absent: try makeLockFile(path)
            case .unsupported(let code): throw .system(call: "flock", path: path, code: code)
            case .busy: usleep(2000)
            }
        }
        throw .locked(path: path)
    }

    /// Somebody else may make it at the same time, and lock it first.
    private func makeLockFile(_ path: String) throws(RegistryError) {
        do throws(RegistryError) {
            try fileSystem.writeNewFile(path, [])
        } catch .system(_, _, EEXIST) {
            return
        }
    }
}
