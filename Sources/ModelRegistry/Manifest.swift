package import FoundationEssentials

/// `manifest.json`: what a version is, where it came from and how its files can be checked.
package struct Manifest: Codable, Equatable, Sendable {
    /// What this code writes and reads.
    package static let currentFormat = "nextloop-model/1"
    /// A manifest is a few kilobytes; more is not one.
    package static let bytesMax = 4 << 20
    static let fileCountMax = 64

    package var format: String
    package var model: String
    package var version: Int
    package var createdAt: Date
    package var files: [File]
    package var shapes: Shapes
    package var training: TrainingRecord?
    package var data: DataRecord?
    package var evaluation: EvaluationRecord?
    package var lineage: LineageRecord
    /// How many queries `golden.json` has; nil of a version without that file.
    package var goldenQueries: Int?

    /// SHA-256 of the model file.
    package var modelDigest: String? { files.first { $0.name == Registry.modelFileName }?.sha256 }

    package struct File: Codable, Equatable, Sendable {
        package var name: String
        package var bytes: Int
        package var sha256: String
    }

    package struct Shapes: Codable, Equatable, Sendable {
        package var users: Int
        package var items: Int
        package var factors: Int
        package var interactions: Int
        package var hotels: Int
    }

    enum CodingKeys: String, CodingKey {
        case format, model, version
        case createdAt = "created_at"
        case files, shapes, training, data, evaluation, lineage
        case goldenQueries = "golden_queries"
    }
}

/// What a publisher knows; the registry adds the rest.
package struct ManifestDraft: Sendable {
    package var training: TrainingRecord?
    package var data: DataRecord?
    package var evaluation: EvaluationRecord?
    package var lineage: LineageRecord

    package init(
        training: TrainingRecord? = nil, data: DataRecord? = nil, evaluation: EvaluationRecord? = nil,
        lineage: LineageRecord
    ) {
        self.training = training
        self.data = data
        self.evaluation = evaluation
        self.lineage = lineage
    }
}

/// How the factors were learned. `nextloop train` fills all of it; an import what its files say.
package struct TrainingRecord: Codable, Equatable, Sendable {
    package var algorithm: String
    package var factors: Int
    package var iterations: Int?
    package var regularization: Double?
    package var alpha: Double?
    package var seed: UInt64?
    package var threads: Int?
    package var solver: String?
    /// The confidence as a formula, because conventions differ.
    package var confidence: String?
    package var finalLoss: Double?
    package var seconds: Double?
    /// Mean over the iterations.
    package var secondsPerIteration: Double?

    package init(algorithm: String, factors: Int) {
        self.algorithm = algorithm
        self.factors = factors
    }

    enum CodingKeys: String, CodingKey {
        case algorithm, factors, iterations, regularization, alpha, seed, threads, solver, confidence
        case finalLoss = "final_loss"
        case seconds
        case secondsPerIteration = "seconds_per_iteration"
    }
}

/// What the orders were. Counts and times only: nothing of a guest.
package struct DataRecord: Codable, Equatable, Sendable {
    package var ordersRead: Int
    package var orderLines: Int
    package var interactions: Int
    package var users: Int
    package var items: Int
    package var hotels: Int
    package var rowsRejected: Int
    package var rejectedByReason: [String: Int]
    package var skippedByReason: [String: Int]
    package var firstOrderAt: String?
    package var lastOrderAt: String?

    package init(
        ordersRead: Int, orderLines: Int, interactions: Int, users: Int, items: Int, hotels: Int, rowsRejected: Int,
        rejectedByReason: [String: Int], skippedByReason: [String: Int], firstOrderAt: String?, lastOrderAt: String?
    ) {
        self.ordersRead = ordersRead
        self.orderLines = orderLines
        self.interactions = interactions
        self.users = users
        self.items = items
        self.hotels = hotels
        self.rowsRejected = rowsRejected
        self.rejectedByReason = rejectedByReason
        self.skippedByReason = skippedByReason
        self.firstOrderAt = firstOrderAt
        self.lastOrderAt = lastOrderAt
    }

    enum CodingKeys: String, CodingKey {
        case ordersRead = "orders_read"
        case orderLines = "order_lines"
        case interactions, users, items, hotels
        case rowsRejected = "rows_rejected"
        case rejectedByReason = "rejected_by_reason"
        case skippedByReason = "skipped_by_reason"
        case firstOrderAt = "first_order_at"
        case lastOrderAt = "last_order_at"
    }
}

/// How well the factors rank, beside popularity on the same split.
package struct EvaluationRecord: Codable, Equatable, Sendable {
    /// What was held back and what was ranked, in words.
    package var method: String
    package var k: Int
    package var users: Int
    package var als: Metrics
    package var popularity: Metrics

    package struct Metrics: Codable, Equatable, Sendable {
        package var recall: Double
        package var ndcg: Double
        package var map: Double
        package var coverage: Double

        package init(recall: Double, ndcg: Double, map: Double, coverage: Double) {
            self.recall = recall
            self.ndcg = ndcg
            self.map = map
            self.coverage = coverage
        }

        enum CodingKeys: String, CodingKey {
            case recall = "recall_at_10"
            case ndcg = "ndcg_at_10"
            case map = "map_at_10"
            case coverage
        }
    }

    package init(method: String, k: Int, users: Int, als: Metrics, popularity: Metrics) {
        self.method = method
        self.k = k
        self.users = users
        self.als = als
        self.popularity = popularity
    }

    enum CodingKeys: String, CodingKey {
        case method = "protocol"
        case k, users, als, popularity
    }
}

/// Which command and build made the version, from what.
package struct LineageRecord: Codable, Equatable, Sendable {
    package var command: String
    package var build: String
    /// Names of the input files, without their directories.
    package var sources: [String]

    package init(command: String, build: String, sources: [String]) {
        self.command = command
        self.build = build
        self.sources = sources
    }
}

extension Manifest {
    /// The bytes of `manifest.json`: keys sorted, two spaces, one newline at the end.
    func encoded() -> [UInt8] {
        let encoder = registryEncoder()
        encoder.outputFormatting.insert(.prettyPrinted)
        do {
            return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("BUG: a manifest that JSON cannot say: \(error)")
        }
    }

    /// Reads `manifest.json` and checks what it says of itself.
    init(_ bytes: [UInt8], path: String, model: String, version: Int) throws(RegistryError) {
        let decoder = registryDecoder()
        do {
            self = try decoder.decode(Manifest.self, from: Data(bytes))
        } catch {
            // JSON ends with its brace: what does not is the beginning of something.
            let end = bytes.last { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
            guard end == UInt8(ascii: "}") else { throw .cutManifest(path: path, bytes: bytes.count) }
            throw .badManifest(path: path, reason: Self.reason(error))
        }
        try check(path: path, model: model, version: version)
    }

    private func check(path: String, model: String, version: Int) throws(RegistryError) {
        guard format == Self.currentFormat else {
            throw .badManifest(path: path, reason: "its format is '\(format)', wanted '\(Self.currentFormat)'")
        }
        guard self.model == model, self.version == version else {
            throw .otherManifest(
                path: path, got: "'\(self.model)' version \(self.version)", wanted: "'\(model)' version \(version)")
        }
        guard (1...Self.fileCountMax).contains(files.count), Set(files.map(\.name)).count == files.count else {
            throw .badManifest(path: path, reason: "it lists \(files.count) files, wanted 1 to 64 different ones")
        }
        for file in files where !isFileName(file.name) || file.name == Registry.manifestFileName {
            throw .badManifest(path: path, reason: "a file name leads elsewhere or has odd characters")
        }
        for file in files where file.bytes < 0 || !isDigest(file.sha256) {
            throw .badManifest(
                path: path, reason: "'\(file.name)' has no length or no SHA-256 in 64 hexadecimal digits")
        }
        try check(shapes, path: path)
        guard files.contains(where: { $0.name == Registry.modelFileName }) else {
            throw .badManifest(path: path, reason: "it lists no \(Registry.modelFileName)")
        }
    }

    private func check(_ shapes: Shapes, path: String) throws(RegistryError) {
        for (what, count) in [
            ("users", shapes.users), ("items", shapes.items), ("factors", shapes.factors),
            ("interactions", shapes.interactions), ("hotels", shapes.hotels),
        ] where count < 0 {
            throw .badManifest(path: path, reason: "it claims \(count) \(what), wanted 0 or more")
        }
    }

    /// A decoding error in one line that names the key.
    private static func reason(_ error: any Error) -> String {
        func place(_ keys: [any CodingKey]) -> String { keys.map(\.stringValue).joined(separator: ".") }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "'\(place(context.codingPath + [key]))' is missing"
        case DecodingError.typeMismatch(let type, let context):
            return "'\(place(context.codingPath))' is no \(type)"
        case DecodingError.valueNotFound(_, let context): return "'\(place(context.codingPath))' is null"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "'\(place(context.codingPath))' cannot be read"
        // The key of a date that is none is not told; the only one is created_at.
        case DecodingError.dataCorrupted(let context) where context.debugDescription.lowercased().contains("date"):
            return "'created_at' is no ISO 8601 date and time"
        default: return "it is not JSON"
        }
    }
}

/// A plain name inside the version's directory: nothing that leads out of it or hides.
func isFileName(_ name: String) -> Bool {
    guard (1...128).contains(name.utf8.count), !name.hasPrefix(".") else { return false }
    return name.utf8.allSatisfy {
        isLetterOrDigit($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
    }
}

/// SHA-256 as this code writes it: 64 hexadecimal digits, small letters.
func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
        && text.utf8.allSatisfy { isLetterOrDigit($0) && $0 <= UInt8(ascii: "f") && !(0x41...0x5A ~= $0) }
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}
