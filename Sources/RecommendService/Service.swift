import FactorModel
package import HTTPServer
import PrometheusText

/// What all loops share: the model, whether to take traffic, and the counters.
package final class Service: Sendable {
    package let slot = ModelSlot()
    package let readiness = Readiness()
    let requestMetrics: RequestMetrics
    let build: (version: String, commit: String)
    let loops: Int
    private let tls: TLSContext?
    let accessLog: AccessLog?
    /// Made once: it says the same to everybody.
    let openAPIDocument: [UInt8]

    /// Whether operators have a listener of their own: then the service listeners do not serve what is theirs.
    package let hasAdminListener: Bool

    /// - Parameters:
    ///   - tls: what the listeners encrypt with, for the metrics; nil without TLS.
    ///   - accessLog: where requests are logged, made for as many loops; nil: nowhere.
    package init(
        loops: Int, version: String, commit: String, hasAdminListener: Bool = false, tls: TLSContext? = nil,
        accessLog: AccessLog? = nil
    ) {
        self.loops = loops
        self.hasAdminListener = hasAdminListener
        build = (version, commit)
        self.tls = tls
        self.accessLog = accessLog
        requestMetrics = RequestMetrics(loops: loops, hasTLS: tls != nil)
        openAPIDocument = Array(OpenAPIDocument.text(version: version).utf8)
    }

    /// The handler and observer of one loop; called once on each loop's own thread.
    package func makeLoop(_ loop: Int) -> LoopService { LoopService(self, loop: loop) }

    /// The whole text of `/metrics`.
    package func metricsText() -> String { metrics().text() }

    /// All there is on `/metrics`, to be written at once or in pieces.
    func metrics() -> Exposition {
        var exposition = Exposition()
        exposition.add(requestMetrics.set)
        if let model = slot.model {
            addModel(model, to: &exposition)
        }
        exposition.add(
            "nextloop_model_reloads_total", "Loads of a model version, the first one too, by result.", .counter,
            [Label("result", "success")], value: Double(slot.publishCount))
        if let tls {
            exposition.add(
                "nextloop_tls_certificate_expiry_timestamp_seconds", "When the TLS certificate in use expires.", .gauge,
                value: Double(tls.certificateExpiry))
        }
        accessLog?.addMetrics(to: &exposition)
        exposition.add(
            "nextloop_build_info", "The running build.", .gauge,
            [Label("version", build.version), Label("commit", build.commit)], value: 1)
        ProcessMetrics.add(to: &exposition)
        return exposition
    }

    private func addModel(_ model: ServedModel, to exposition: inout Exposition) {
        exposition.add(model.metrics.set)
        exposition.add(
            "nextloop_recommended_items_ratio", "Share of the catalogue shown since the model was loaded.", .gauge,
            value: model.metrics.shown.ratio)
        exposition.add(
            "nextloop_model_info", "The served model version.", .gauge,
            [Label("model", model.name), Label("version", String(model.version)), Label("alias", model.alias)],
            value: 1)
        exposition.add(
            "nextloop_model_created_timestamp_seconds", "When the served version was published.", .gauge,
            value: model.createdAt)
        exposition.add(
            "nextloop_model_loaded_timestamp_seconds", "When the served version was loaded.", .gauge,
            value: model.loadedAt)
        exposition.add(
            "nextloop_model_load_duration_seconds", "Time to open and verify the served version.", .gauge,
            value: model.loadSeconds)
        exposition.add(
            "nextloop_model_bytes", "Bytes of the served version's mapped file.", .gauge,
            value: Double(model.snapshot.mappedBytes))
    }
}
