import FactorModel
import Foundation
import ModelRegistry

/// Loads one version: opens, verifies, warms and compares it. Nobody sees it before it has passed, and nothing of it is shared with loops.
struct LoadJob: Sendable {
    let source: any ModelSource
    let settings: FollowSettings
    let model: String
    let version: Int
    /// What it is compared with; nil when it is the model's first in this process.
    let live: ServedModel?
    /// Whether the operator lets it through the gates.
    let isForced: Bool
    let lease: ServingLease?
    let loops: Int
    let clock: @Sendable () -> Double

    /// - Returns: the version, with what is to be told of it.
    func run() -> Result<(ServedModel, [String]), LoadRefusal> {
        Result { () throws(LoadRefusal) in try load() }
    }

    private func load() throws(LoadRefusal) -> (ServedModel, [String]) {
        let began = clock()
        let opened: OpenedVersion
        do throws(RegistryError) {
            opened = try source.open(model, version: version, options: options)
        } catch {
            throw LoadRefusal(gate: .verify, reason: "\(error)", error: error)
        }
        // The first version of a model answers as soon as it can; codes and YᵀY are made behind the readiness.
        if live != nil { opened.snapshot.prepare() }
        var notes: [String] = []
        do throws(GateRefusal) {
            notes = try GateCheck(settings.gates, opened, live: live).run()
        } catch {
            if !isForced { throw LoadRefusal(gate: error.gate, reason: error.reason) }
            notes = ["let through by force; the gate \(error.gate.rawValue) says: \(error.reason)"]
        }
        let loaded = ServedModel(
            name: model, version: version, snapshot: opened.snapshot, manifest: opened.manifestBytes,
            createdAt: opened.manifest.createdAt.timeIntervalSince1970, loadedAt: Date().timeIntervalSince1970,
            loadSeconds: clock() - began, loops: loops, lease: lease)
        return (loaded, notes)
    }

    /// The first load has nobody to leave anything to.
    private var options: OpenOptions {
        OpenOptions(
            threads: live == nil ? settings.firstLoadThreads : 1,
            bytesPerSecondMax: live == nil ? nil : settings.loadBytesPerSecond)
    }
}

/// Why a version was not taken.
struct LoadRefusal: Error {
    var gate: Gate
    var reason: String
    var error: RegistryError?

    /// Whether it may be otherwise later though the files stay as they are.
    var mayPass: Bool { error?.kind == .io }

    func failure(_ version: Int) -> FollowFailure {
        error.map { .registry($0) } ?? .refused(version: version, gate, reason: reason)
    }
}
