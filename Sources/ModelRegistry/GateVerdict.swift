package import FoundationEssentials
import Glibc

/// What the gates of a server found when they compared a version with the one before it: what a restart of that server, which has nothing
/// to compare with, must not forget.
package struct GateVerdict: Codable, Equatable, Sendable {
    package var at: Date
    /// The account and host of the server.
    package var who: String
    /// The alias that the server followed.
    package var alias: String
    package var version: Int
    /// SHA-256 of the model file that was looked at: of other contents under the same number it says nothing.
    package var contents: String
    package var comparedWith: Int
    /// The gate that refused the version; nil when all passed it.
    package var gate: String?
    package var reason: String?
    /// What the gates compare against, in words: a verdict by other thresholds says less.
    package var thresholds: String
    /// Who promoted the refused version again, so that it is compared anew; nil of a pass and while nobody did.
    package var takenBack: TakenBack?

    /// All gates passed the version.
    package var isPass: Bool { gate == nil }
    /// A gate refused the version, and nobody took that back.
    package var isRefusal: Bool { gate != nil && takenBack == nil }

    /// An operator's word against a refusal: not that the version is good, but that it is to be asked once more.
    package struct TakenBack: Codable, Equatable, Sendable {
        package var at: Date
        /// As in the history of the alias, and so is the reason.
        package var who: String
        package var reason: String

        package init(at: Date, who: String, reason: String) {
            self.at = at
            self.who = who
            self.reason = reason
        }
    }

    package init(
        alias: String, version: Int, contents: String, comparedWith: Int, gate: String?, reason: String?,
        thresholds: String,
        who: String = serverName(), at: Date = Date()
    ) {
        self.at = at
        self.who = who
        self.alias = alias
        self.version = version
        self.contents = contents
        self.comparedWith = comparedWith
        self.gate = gate
        self.reason = reason
        self.thresholds = thresholds
    }

    enum CodingKeys: String, CodingKey {
        case at, who, alias, version
        case contents = "model_sha256"
        case comparedWith = "compared_with"
        case gate, reason, thresholds
        case takenBack = "taken_back"
    }

    /// Whether both are of the same question: version and contents, alias and thresholds.
    fileprivate func isOfSameQuestion(as other: GateVerdict) -> Bool {
        alias == other.alias && version == other.version && contents == other.contents && thresholds == other.thresholds
    }

    /// `account@host`, as the history of aliases names accounts.
    package static func serverName() -> String {
        let bytes = (try? POSIXFileSystem().read("/proc/sys/kernel/hostname", bytesMax: 256)) ?? nil
        let host = String(decoding: (bytes ?? []).prefix { $0 > 0x20 }, as: UTF8.self)
        let account = (try? AliasChange.actor(nil)) ?? "uid \(geteuid())"
        return host.isEmpty ? account : "\(account)@\(host)"
    }
}

extension Registry {
    package static let verdictsFileName = "verdicts.json"
    static var verdictsBytesMax: Int { 4 << 20 }
    /// The newest are kept, and only of versions that are there; refusals that were taken back go first.
    package static var verdictCountMax: Int { 1000 }

    /// The verdicts of servers on what a model's versions hold now, oldest first; empty when there are none. Those on other contents,
    /// before files were repaired, do not count.
    package func verdicts(of model: String) throws(RegistryError) -> [GateVerdict] {
        var contents: [Int: String] = [:]
        return try storedVerdicts(of: model).filter { verdict in
            let now = contents[verdict.version] ?? self.contents(of: model, version: verdict.version)
            contents[verdict.version] = now
            // A version that cannot be read cannot answer either; what was said of it is kept until it can.
            return now == nil || now == verdict.contents
        }
    }

    /// SHA-256 of a version's model file, as its manifest says; nil when that cannot be read.
    private func contents(of model: String, version: Int) -> String? {
        (try? manifest(of: model, version: version))?.manifest.modelDigest
    }

    private func storedVerdicts(of model: String) throws(RegistryError) -> [GateVerdict] {
        guard let bytes = try verdictBytes(of: model) else { return [] }
        let decoder = registryDecoder()
        guard let verdicts = try? decoder.decode([GateVerdict].self, from: Data(bytes)) else {
            throw .badVerdicts(path: try verdictsFile(of: model))
        }
        return verdicts
    }

    /// `verdicts.json` of a model; nil when there is none.
    ///
    /// - Throws: `badVerdicts` of more than ``verdictsBytesMax``: no server writes so much.
    func verdictBytes(of model: String) throws(RegistryError) -> [UInt8]? {
        let file = try verdictsFile(of: model)
        do throws(RegistryError) {
            return try fileSystem.read(file, bytesMax: Self.verdictsBytesMax)
        } catch .system(_, _, EFBIG) {
            throw .badVerdicts(path: file)
        }
    }

    private func verdictsFile(of model: String) throws(RegistryError) -> String {
        "\(try existingDirectory(of: model))/\(Self.verdictsFileName)"
    }

    /// The verdicts to go on from. A damaged list is worth nothing to anybody and counts as empty; one that cannot be read now, for want of
    /// a descriptor or for a disk, is still there and must not be written over.
    private func verdictsUnlessDamaged(of model: String) throws(RegistryError) -> [GateVerdict] {
        do throws(RegistryError) {
            return try verdicts(of: model)
        } catch .badVerdicts {
            return []
        }
    }

    /// Keeps a verdict, durably. One of the same question is kept: a pass, once there is one, else the first refusal. What one sample
    /// of users passed, another does not refuse. A refusal that was taken back gives way to either.
    ///
    /// - Throws: `locked` when another process changes the model for more than five seconds (a tenth for a pass), `system` when the registry cannot be written
    ///   to, or what is kept not be read; then nothing was changed.
    package func keep(_ verdict: GateVerdict, of model: String) throws(RegistryError) {
        // Where nothing may be written, another server may have kept it.
        if isKept(verdict, in: try verdictsUnlessDamaged(of: model)) { return }
        // A pass that is not kept costs another comparison; a start does not wait for it.
        let lock = try lock(
            "\(try existingDirectory(of: model))/\(Self.lockFileName)", milliseconds: verdict.isRefusal ? 5000 : 100)
        let before = try verdictsUnlessDamaged(of: model)
        if isKept(verdict, in: before) { return }
        let known = Set(try versions(of: model))
        let kept = before.filter { known.contains($0.version) && !$0.isOfSameQuestion(as: verdict) } + [verdict]
        try replaceVerdicts(Self.bounded(kept), of: model)
        _ = consume lock
    }

    private func isKept(_ verdict: GateVerdict, in verdicts: [GateVerdict]) -> Bool {
        verdicts.contains {
            $0.isOfSameQuestion(as: verdict) && ($0.isPass || $0.isRefusal && verdict.isRefusal)
        }
    }

    private static func bounded(_ verdicts: [GateVerdict]) -> [GateVerdict] {
        var excess = max(0, verdicts.count - verdictCountMax)
        let kept = verdicts.filter { verdict in
            if excess == 0 || verdict.takenBack == nil { return true }
            excess -= 1
            return false
        }
        return kept.suffix(verdictCountMax)
    }

    /// Notes of the refusals of a version under an alias that they are taken back; writes nothing when there are none. The lock is held.
    ///
    /// They stay in the list: when there is nothing to compare the version with any more, a server can say that it answers all the same.
    func takeBackRefusals(
        of model: String, alias: String, version: Int, by takenBack: GateVerdict.TakenBack
    ) throws(RegistryError) {
        var verdicts = try verdictsUnlessDamaged(of: model)
        var count = 0
        for place in verdicts.indices {
            let verdict = verdicts[place]
            guard verdict.isRefusal, verdict.alias == alias, verdict.version == version else { continue }
            verdicts[place].takenBack = takenBack
            count += 1
        }
        if count > 0 { try replaceVerdicts(verdicts, of: model) }
    }

    private func replaceVerdicts(_ verdicts: [GateVerdict], of model: String) throws(RegistryError) {
        guard let bytes = try? registryEncoder().encode(verdicts) else {
            preconditionFailure("BUG: verdicts that JSON cannot say")
        }
        try replace(try verdictsFile(of: model), with: [UInt8](bytes) + [UInt8(ascii: "\n")])
        try fileSystem.synchronize(directory: try existingDirectory(of: model))
    }

    /// The version to go back to from what `alias` names, by a rollback or because a server refuses that: the latest one that it named
    /// before, that still exists and that no server refused.
    func fallback(from current: Int, of alias: String, model: String) throws(RegistryError) -> Int? {
        let refused = try refused(under: alias, of: model)
        return try versions(before: current, of: alias, model: model).first { !refused.contains($0) }
    }

    /// The versions that a server refused under an alias, by whatever thresholds. A damaged list refuses nothing: servers compare anew.
    func refused(under alias: String, of model: String) throws(RegistryError) -> Set<Int> {
        Set(try verdictsUnlessDamaged(of: model).filter { $0.isRefusal && $0.alias == alias }.map(\.version))
    }
}
