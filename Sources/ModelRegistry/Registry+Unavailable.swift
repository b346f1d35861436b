extension Registry {
    /// Items taken from sale, by the service; kept beside the aliases so that every process that serves the model sees them.
    package static let unavailableFileName = "unavailable.json"
    package static let unavailableBytesMax = 16 << 20

    /// `unavailable.json` of a model; nil when there is none. What is in it is the service's.
    package func unavailableItems(of model: String) throws(RegistryError) -> [UInt8]? {
        try fileSystem.read(
            "\(try existingDirectory(of: model))/\(Self.unavailableFileName)", bytesMax: Self.unavailableBytesMax)
    }

    /// Replaces `unavailable.json` by one rename, durably, by what `update` makes of what is there: under the model's lock, so
    /// that no process loses another's marks.
    ///
    /// - Throws: `tooLarge` beyond ``unavailableBytesMax``, and what `update` throws; then nothing has changed.
    package func updateUnavailableItems(
        of model: String, _ update: ([UInt8]?) throws(RegistryError) -> [UInt8]
    ) throws(RegistryError) {
        let directory = try existingDirectory(of: model)
        let file = "\(directory)/\(Self.unavailableFileName)"
        let lock = try fileSystem.lock("\(directory)/\(Self.lockFileName)")
        let bytes = try update(try fileSystem.read(file, bytesMax: Self.unavailableBytesMax))
        guard bytes.count <= Self.unavailableBytesMax else { throw .tooLarge(path: file, bytes: bytes.count) }
        try replace(file, with: bytes)
        try fileSystem.synchronize(directory: directory)
        _ = consume lock
    }
}
