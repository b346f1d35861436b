package import FactorModel

/// What went wrong in a registry: what was got, what was wanted, where, and what to do next.
package enum RegistryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// How a command should exit.
    package enum Kind: Sendable {
        case usage, badModel, missing, io
    }

    case badModelName(String)
    case badAliasName(String)
    case badActor(bytes: Int)
    case badReason(bytes: Int)
    case tooManyAliases(model: String)
    case badKeepCount(Int)
    case badGrace(seconds: Int)
    case badLatestCount(Int)
    case noRegistry(path: String)
    case noModel(String, path: String)
    case noVersion(Int, model: String, known: [Int])
    case noAlias(String, model: String, known: [String])
    /// `refused`: versions that are there and that a server refused, the latest first.
    case nothingToRollBackTo(alias: String, version: Int, refused: [Int])
    case badAliases(path: String, reason: String)
    case badUnavailable(path: String, reason: String)
    /// What servers refused cannot be told.
    case badVerdicts(path: String)
    case tooManyUnavailable(model: String, countMax: Int)
    /// Another process holds a lock that is held for milliseconds only.
    case locked(path: String)
    /// Another process holds a model's lock, which is held for milliseconds or while a version is verified, for longer than that.
    case lockHeld(path: String, holder: Int32?, seconds: Int)
    /// `last-version` does not hold a number: the next version might get one that was given out.
    case badLastVersion(path: String)
    /// A model that has no version yet.
    case noVersions(model: String)
    case badManifest(path: String, reason: String)
    /// The manifest of another version, as `cp -r 6 7` leaves it.
    case otherManifest(path: String, got: String, wanted: String)
    /// A version's directory without `manifest.json`, or with the beginning of one: as while it is being copied.
    case noManifest(path: String)
    case cutManifest(path: String, bytes: Int)
    case tooLarge(path: String, bytes: Int)
    /// A file that the manifest does not list.
    case unknownFile(path: String)
    /// The file is not the one any more that was checked.
    case changedMeanwhile(path: String)
    /// Nobody wants the version any more that was being opened.
    case interrupted(path: String)
    case notEnoughMemory(path: String, needed: Int, inUse: Int, available: Int, source: String)
    /// The version can be served, but prune cannot be told: errno of the lock.
    case noLease(path: String, code: Int32)
    case missingFile(path: String)
    case wrongSize(path: String, got: Int, wanted: Int)
    case wrongDigest(path: String, got: String, wanted: String)
    case wrongShape(path: String, what: String, got: Int, wanted: Int)
    case badModelFile(path: String, ModelFileError)
    case badGolden(path: String, reason: String)
    /// The version answers a golden query otherwise than where it was made.
    case wrongAnswer(path: String, String)
    /// The version is there; only its alias is not.
    indirect case notPromoted(version: Int, RegistryError)
    /// A system call failed: its name, the path it was for, and errno.
    case system(call: String, path: String, code: Int32)

    package var kind: Kind {
        switch self {
        case .badModelName, .badAliasName, .badActor, .badReason, .tooManyAliases, .badKeepCount, .badGrace,
            .badLatestCount, .tooLarge, .tooManyUnavailable:
            .usage
        case .noRegistry, .noModel, .noVersion, .noVersions, .noAlias, .nothingToRollBackTo: .missing
        case .badAliases, .badUnavailable, .badVerdicts, .badLastVersion, .badManifest, .otherManifest, .noManifest,
            .cutManifest,
            .unknownFile,
            .changedMeanwhile,
            .missingFile, .wrongSize, .wrongDigest, .wrongShape, .badGolden, .wrongAnswer:
            .badModel
        case .badModelFile(_, .system): .io
        case .badModelFile: .badModel
        case .notPromoted(_, let error): error.kind
        case .system, .notEnoughMemory, .noLease, .locked, .lockHeld, .interrupted: .io
        }
    }

    /// Whether what is wrong with a version looks like a copy under way, which more bytes may cure.
    package var mayBecomeComplete: Bool {
        switch self {
        case .noManifest, .cutManifest, .missingFile: true
        case .wrongSize(_, let got, let wanted): got < wanted
        default: false
        }
    }

    package var description: String {
        switch self {
        case .badModelName(let name):
            "'\(name)' is no model name; wanted 1 to 64 of a-z, 0-9, dot, underscore and dash, beginning with a letter or digit"
        case .badAliasName(let name):
            "'\(name)' is no alias; wanted 1 to 64 of a-z, 0-9, dot, underscore and dash, beginning with a letter"
        case .badActor(let bytes):
            "a name of \(bytes) bytes cannot be kept as the actor; wanted 1 to \(AliasChange.actorBytesMax) bytes without control characters"
        case .badReason(let bytes):
            "a reason of \(bytes) bytes cannot be kept; wanted at most \(AliasChange.reasonBytesMax) bytes without control characters"
        case .tooManyAliases(let model): "'\(model)' has \(Registry.aliasCountMax) aliases already; wanted no more"
        case .badKeepCount(let count): "cannot keep \(count) versions; wanted 1 to 1000000"
        case .badGrace(let seconds): "a grace of \(seconds) s is none; wanted 0 to 31536000 seconds"
        case .badLatestCount(let count): "cannot follow the latest \(count) versions; wanted 1 to 100"
        case .noRegistry(let path):
            "no registry at \(path): the directory does not exist; `nextloop train` or `nextloop import` makes it"
        case .noModel(let model, let path):
            "no model '\(model)' in \(path); `nextloop registry list` shows those there are"
        case .noVersion(let version, let model, let known):
            "no version \(version) of '\(model)'; there are: \(Self.list(known.map(String.init)))"
        case .noAlias(let alias, let model, let known):
            "no alias '\(alias)' for '\(model)'; there are: \(Self.list(known)). "
                + "Set one with `nextloop registry promote --version N --alias \(alias)`"
        case .nothingToRollBackTo(let alias, let version, let refused) where refused.isEmpty:
            "cannot roll back '\(alias)': its history has no version before \(version) that still exists"
        case .nothingToRollBackTo(let alias, let version, let refused):
            "cannot roll back '\(alias)': servers refused all versions before \(version) that still exist: "
                + "\(Self.list(refused.map(String.init))). Promote one to have it compared anew, with --force to let it through"
        case .badAliases(let path, let reason):
            "\(path) is damaged: \(reason); wanted an object of alias names and version numbers"
        case .badUnavailable(let path, let reason):
            "\(path) is damaged: \(reason); the last good marks stay in force: put it right, or remove it to put all items back"
        case .badVerdicts(let path): "\(path) is damaged; what servers refused before is not known: remove it"
        case .tooManyUnavailable(let model, let countMax):
            "'\(model)' has \(countMax) unavailable items, the most that are taken; put some back first"
        case .locked(let path): "\(path) is held by another process; nothing was changed: try again"
        case .lockHeld(let path, let holder, let seconds):
            "\(path) was held by \(LockWait.words(holder)) for all of \(seconds) s; nothing was changed. See whether it is stopped or at work "
                + "(`fuser -v \(path)`), let it end, then try again"
        case .badLastVersion(let path):
            "\(path) is damaged; wanted the highest version number ever given out: write it there, with a line end"
        case .noVersions(let model): "'\(model)' has no version; `nextloop train` or `nextloop import` publishes one"
        case .badManifest(let path, let reason): "\(path) cannot be used: \(reason); publish the model again"
        case .otherManifest(let path, let got, let wanted):
            "\(path) is of \(got), wanted \(wanted): a version cannot be copied to another number; publish the model again"
        case .noManifest(let path):
            "\(path) is not there: the version is incomplete; if it is being copied, wait, else publish the model again"
        case .cutManifest(let path, let bytes):
            "\(path) ends after \(bytes) bytes in the middle: the version is incomplete; if it is being copied, wait, "
                + "else publish the model again"
        case .tooLarge(let path, let bytes):
            "\(path) would have \(bytes) bytes; wanted at most \(Registry.unavailableBytesMax)"
        case .unknownFile(let path):
            "\(path) is not in the manifest; wanted only what was published: remove it, or publish the model again"
        case .interrupted(let path): "\(path) was not read to its end: nobody wants its version any more"
        case .changedMeanwhile(let path): "\(path) was changed or exchanged while it was checked; versions never change"
        case .notEnoughMemory(let path, let needed, let inUse, let available, let source):
            "\(path) needs \(needed) bytes of memory beside \(inUse) in use; \(source) leaves \(available)"
        case .noLease(let path, let code):
            "\(path): cannot lock: \(systemMessage(code)); the version can be served, but prune will not know that it is"
        case .missingFile(let path): "\(path) is in the manifest but is no regular file here; publish the model again"
        case .wrongSize(let path, let got, let wanted):
            "\(path) has \(got) bytes, its manifest says \(wanted); it was cut or changed: publish the model again"
        case .wrongDigest(let path, let got, let wanted):
            "\(path) has SHA-256 \(got), its manifest says \(wanted); it was changed: publish the model again"
        case .wrongShape(let path, let what, let got, let wanted):
            "\(path) holds \(got) \(what), its manifest says \(wanted); publish the model again"
        case .badModelFile(let path, let error): "\(path) cannot be used: \(error)"
        case .badGolden(let path, let reason): "\(path) cannot be used: \(reason); publish the model again"
        case .wrongAnswer(let path, let difference):
            "\(path) answers here otherwise than where it was made: \(difference); compare builds and machines, or publish the model again"
        case .notPromoted(let version, let error): "version \(version) is published but not promoted: \(error)"
        case .system(let call, let path, let code): "\(path): cannot \(call): \(systemMessage(code))"
        }
    }

    private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
}
