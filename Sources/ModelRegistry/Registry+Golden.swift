package import FactorModel
import FoundationEssentials

/// `golden.json` of a version: what it answered where it was made.
///
/// A file beside the model file, listed in the manifest with its digest: programs from before it check the digest and go on, where an
/// unknown tensor in the model file would have them refuse the version; the model file stays a function of its contents alone; and anybody can
/// read it.
extension Registry {
    package static let goldenFileName = "golden.json"
    static let goldenFormat = "nextloop-golden/1"
    /// 32 queries of 11 ids of 256 bytes each, all of them escaped, take 550 KB.
    package static let goldenBytesMax = 1 << 20

    private struct GoldenFile: Codable {
        var format: String
        var k: Int
        var queries: [GoldenQueries.Query]
    }

    static func bytes(of golden: GoldenQueries) -> [UInt8] {
        let encoder = registryEncoder()
        let file = GoldenFile(format: goldenFormat, k: GoldenQueries.k, queries: golden.queries)
        guard let bytes = try? encoder.encode(file) else {
            preconditionFailure("BUG: golden queries that JSON cannot say")
        }
        return [UInt8](bytes) + [UInt8(ascii: "\n")]
    }

    /// Reads `golden.json`; `path` is for errors.
    static func golden(_ bytes: [UInt8], path: String) throws(RegistryError) -> GoldenQueries {
        guard let file = try? JSONDecoder().decode(GoldenFile.self, from: Data(bytes)) else {
            throw .badGolden(path: path, reason: "it is no such list of users, items and scores")
        }
        guard file.format == goldenFormat, file.k == GoldenQueries.k else {
            throw .badGolden(
                path: path,
                reason:
                    "its format is '\(file.format)' with k \(file.k), wanted '\(goldenFormat)' with \(GoldenQueries.k)")
        }
        guard (1...GoldenQueries.countMax).contains(file.queries.count) else {
            throw .badGolden(
                path: path, reason: "it has \(file.queries.count) queries, wanted 1 to \(GoldenQueries.countMax)")
        }
        let isBounded = file.queries.allSatisfy { query in
            query.items.count <= GoldenQueries.k && isID(query.user)
                && query.items.allSatisfy { isID($0.id) && $0.score.isFinite }
        }
        guard isBounded else {
            throw .badGolden(
                path: path, reason: "it has an id that is empty or over 256 bytes, or more than \(file.k) items")
        }
        return GoldenQueries(queries: file.queries)
    }

    private static func isID(_ id: String) -> Bool { (1...ModelLimits.idBytesMax).contains(id.utf8.count) }

    /// What a version answered where it was made, after checking the digest; nil of one that does not say. Its model file is not looked at.
    package func goldenAnswers(of model: String, version: Int) throws(RegistryError) -> GoldenAnswers? {
        let manifest = try manifest(of: model, version: version).manifest
        let golden = try goldenQueries(manifest, in: "\(try existingDirectory(of: model))/\(version)")
        return golden.map { GoldenAnswers(version: version, itemCount: manifest.shapes.items, golden: $0) }
    }

    /// The same, of a version whose manifest has been read.
    func goldenQueries(_ manifest: Manifest, in directory: String) throws(RegistryError) -> GoldenQueries? {
        guard let file = manifest.files.first(where: { $0.name == Self.goldenFileName }) else {
            guard manifest.goldenQueries == nil else {
                throw .missingFile(path: "\(directory)/\(Self.goldenFileName)")
            }
            return nil
        }
        let path = "\(directory)/\(file.name)"
        guard file.bytes <= Self.goldenBytesMax else {
            throw .badGolden(path: path, reason: "it has \(file.bytes) bytes, wanted at most \(Self.goldenBytesMax)")
        }
        guard let bytes = try fileSystem.read(path, bytesMax: Self.goldenBytesMax) else {
            throw .missingFile(path: path)
        }
        guard bytes.count == file.bytes else { throw .wrongSize(path: path, got: bytes.count, wanted: file.bytes) }
        let digest = try sha256(of: bytes, path: path)
        guard digest == file.sha256 else { throw .wrongDigest(path: path, got: digest, wanted: file.sha256) }
        let golden = try Self.golden(bytes, path: path)
        guard golden.queries.count == manifest.goldenQueries else {
            throw .badGolden(
                path: path,
                reason: "it has \(golden.queries.count) queries, its manifest says \(manifest.goldenQueries ?? 0)")
        }
        return golden
    }

    /// Writes the golden queries of a model that was just written; nil when none of its users has a vector.
    func writeGolden(_ snapshot: ModelSnapshot, in directory: String) throws(RegistryError) -> (
        entry: Manifest.File, count: Int
    )? {
        let golden = snapshot.goldenQueries()
        if golden.queries.isEmpty { return nil }
        let bytes = Self.bytes(of: golden)
        let path = "\(directory)/\(Self.goldenFileName)"
        try fileSystem.writeNewFile(path, bytes)
        let digest = try sha256(of: bytes, path: path)
        let entry = Manifest.File(name: Self.goldenFileName, bytes: bytes.count, sha256: digest)
        return (entry, golden.queries.count)
    }
}

/// What another version can be compared with without opening this one.
package struct GoldenAnswers: Equatable, Sendable {
    package let version: Int
    package let itemCount: Int
    package let golden: GoldenQueries
}

extension OpenedVersion {
    /// - Throws: `wrongAnswer` when the version answers its golden queries here otherwise than where it was made.
    package func checkGolden(path: String) throws(RegistryError) {
        guard let golden, let difference = snapshot.disagreement(with: golden) else { return }
        throw .wrongAnswer(path: path, difference)
    }
}
