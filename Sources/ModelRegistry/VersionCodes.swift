package import FactorModel
import Glibc

/// `codes.safetensors` of a version: the 4-bit codes of its items, so that processes share them and none has to make them.
///
/// A file beside the model file for the reasons that `golden.json` is one, and optional like it: a version without has them
/// made by every process.
extension Registry {
    package static let codesFileName = "codes.safetensors"

    /// Writes the codes of a model that was just written, and reads them back through every check of the loader; nil for a
    /// model without items, which has none.
    func writeCodes(
        _ snapshot: ModelSnapshot, modelDigest: String, in directory: String
    ) throws(RegistryError) -> Manifest.File? {
        guard snapshot.itemCount > 0 else { return nil }
        let path = "\(directory)/\(Self.codesFileName)"
        try fileSystem.writeCodes(path, ItemCodes(of: snapshot), modelDigest: modelDigest)
        do throws(ModelFileError) {
            _ = try ItemCodes(path: path, of: snapshot, modelDigest: modelDigest)
        } catch {
            throw .badModelFile(path: path, error)
        }
        guard let status = try fileSystem.status(of: path) else { throw .missingFile(path: path) }
        return Manifest.File(name: Self.codesFileName, bytes: status.bytes, sha256: try sha256(ofFile: path))
    }

    /// The codes of a version whose model file is fine; nil of one without.
    func codes(
        _ manifest: Manifest, of snapshot: ModelSnapshot, in directory: String, _ options: OpenOptions,
        _ recordedBytes: inout Int
    ) throws(RegistryError) -> VersionCodes? {
        guard let file = manifest.files.first(where: { $0.name == Self.codesFileName }),
            let modelDigest = manifest.modelDigest
        else { return nil }
        let held = try HeldCodes(file, modelDigest: modelDigest, in: directory, options)
        guard options.defersCodes, held.canWait else {
            return VersionCodes(.checked(try held.map(for: snapshot, &recordedBytes)))
        }
        // What nothing but a record vouches for is used at once; when that fails for any reason, it is told when they are prepared.
        if held.isRecorded, let codes = try? held.map(for: snapshot, &recordedBytes) {
            return VersionCodes(.checked(codes))
        }
        return VersionCodes(.unchecked(held))
    }
}

/// The codes that a version was published with: checked as it was opened, or to be checked when they are needed.
package struct VersionCodes: Sendable {
    fileprivate enum State {
        case checked(ItemCodes)
        case unchecked(HeldCodes)
    }

    private let state: State

    fileprivate init(_ state: State) { self.state = state }

    /// Lets rankings read these codes from now on, if nothing of them is left to be checked.
    package func adopt(by snapshot: ModelSnapshot) {
        if case .checked(let codes) = state { snapshot.adopt(codes) }
    }

    /// Prepares the version's snapshot with these codes if they are sound, else with codes that are made here: answers are the
    /// same.
    ///
    /// - Returns: what is wrong with the file; nil when nothing is.
    package func prepare(_ snapshot: ModelSnapshot) -> RegistryError? {
        var problem: RegistryError?
        snapshot.prepare {
            do throws(RegistryError) {
                return try checked(for: snapshot)
            } catch {
                problem = error
                return nil
            }
        }
        return problem
    }

    func checked(for snapshot: ModelSnapshot) throws(RegistryError) -> ItemCodes {
        switch state {
        case .checked(let codes): return codes
        case .unchecked(let held):
            var recordedBytes = 0
            return try held.map(for: snapshot, &recordedBytes)
        }
    }
}

/// A file of codes, held open from when its version was opened until somebody needs it: whatever its name leads to by then,
/// this file is checked and mapped.
private final class HeldCodes: Sendable {
    private let held: HeldFile
    private let path: String
    private let file: Manifest.File
    private let modelDigest: String
    private let options: OpenOptions

    init(
        _ file: Manifest.File, modelDigest: String, in directory: String, _ options: OpenOptions
    ) throws(RegistryError) {
        path = "\(directory)/\(file.name)"
        held = try HeldFile(path)
        self.file = file
        self.modelDigest = modelDigest
        var options = options
        // What is left for later is wanted then, whatever was said of the load.
        if options.defersCodes { options.interruption = nil }
        self.options = options
    }

    /// Whether it can be used without reading all of it.
    var isRecorded: Bool { held.isRecorded(file, .values, options) }

    /// Whether this very file can still be mapped when its name leads elsewhere.
    var canWait: Bool { held.hasOwnPath }

    /// Checks digest, layout and values, and that the file stayed as it was all the while. By one thread at a time.
    ///
    /// - Parameter recordedBytes: the file's length is added when a record spares reading it.
    func map(for snapshot: ModelSnapshot, _ recordedBytes: inout Int) throws(RegistryError) -> ItemCodes {
        guard lseek(held.descriptor, 0, SEEK_SET) == 0 else { throw .system(call: "lseek", path: path, code: errno) }
        let modelDigest = modelDigest
        return try held.verified(file, path: path, options, &recordedBytes) {
            (path, checksValues) throws(ModelFileError) in
            try ItemCodes(path: path, of: snapshot, modelDigest: modelDigest, checksValues: checksValues)
        }
    }
}
