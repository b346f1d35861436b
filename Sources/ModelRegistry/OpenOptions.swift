import Synchronization

/// Ends an opening early, from another thread.
package final class Interruption: Sendable {
    private let wasAsked = Atomic<Bool>(false)

    package init() {}

    package func interrupt() { wasAsked.store(true, ordering: .relaxed) }

    package var isAsked: Bool { wasAsked.load(ordering: .relaxed) }
}

/// How a version is opened, by someone who has other things to do at the same time.
package struct OpenOptions: Sendable {
    /// For the checks of the model file, 1 to 256.
    ///
    /// With 1 everything is done by the calling thread, so that its priority (`nice`) holds for all of it.
    package var threads: Int
    /// Bytes to read from the files per second, so that a load leaves the disk to others; nil: as fast as they come.
    package var bytesPerSecondMax: Int?
    /// Bytes that this version may take, mapping and derived values together; nil: what the machine has.
    package var memoryBytesMax: Int?
    /// Bytes of other mappings that must stay in memory beside this one: the versions that are live.
    package var memoryBytesInUse: Int
    /// Which files passed every check and are unchanged since; nil: every byte is read.
    package var records: VerificationRecords?
    /// Leaves the digest and the checks of the codes to ``VersionCodes/prepare(_:)``: for the first version of a process, which answers
    /// before it has any. The file is there, of its length and held open then, and nothing more is known of it.
    package var defersCodes: Bool
    /// Looked at between two pieces of a file; nil: nobody ends it early.
    package var interruption: Interruption?
    /// Where memory is asked for; tests put a directory of their own here.
    package var systemRoot = ""

    package init(
        threads: Int = 1, bytesPerSecondMax: Int? = nil, memoryBytesMax: Int? = nil, memoryBytesInUse: Int = 0,
        records: VerificationRecords? = nil, defersCodes: Bool = false, interruption: Interruption? = nil
    ) {
        self.threads = threads
        self.bytesPerSecondMax = bytesPerSecondMax
        self.memoryBytesMax = memoryBytesMax
        self.memoryBytesInUse = memoryBytesInUse
        self.records = records
        self.defersCodes = defersCodes
        self.interruption = interruption
    }
}
