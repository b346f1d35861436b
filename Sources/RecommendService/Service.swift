import FactorModel
package import HTTPServer
import PrometheusText

/// What all loops share: the models, whether to take traffic, and the counters.
package final class Service: Sendable {
    package let models: ModelStore
    package let readiness = Readiness()
    let unavailable: UnavailableItems?
    /// nil when operators have no way in.
    let admin: Admin?
    let requestMetrics: RequestMetrics
    let follower: ModelFollower?
    let build: (version: String, commit: String)
    let loops: Int
    private let tls: TLSContext?
    let accessLog: AccessLog?
    /// Made once: it says the same to everybody.
    let openAPIDocument: [UInt8]

    /// Whether operators have a listener of their own: then the service listeners do not serve what is theirs.
    package let hasAdminListener: Bool

    /// - Parameters:
    ///   - models: what is served; its loops are the service's.
    ///   - follower: who loads versions; nil when nobody does.
    ///   - unavailable: the items taken from sale; nil when nobody can.
    ///   - admin: the operator's part; nil: `/admin/*` is not there.
    ///   - tls: what the listeners encrypt with, for the metrics; nil without TLS.
    ///   - accessLog: where requests are logged, made for as many loops; nil: nowhere.
    package init(
        _ models: ModelStore, follower: ModelFollower? = nil, unavailable: UnavailableItems? = nil,
        admin: Admin? = nil, version: String, commit: String, hasAdminListener: Bool = false, tls: TLSContext? = nil,
        accessLog: AccessLog? = nil
    ) {
        self.models = models
        self.follower = follower
        self.unavailable = unavailable
        self.admin = admin
        self.hasAdminListener = hasAdminListener
        self.tls = tls
        loops = models.loops
        build = (version, commit)
        self.accessLog = accessLog
        requestMetrics = RequestMetrics(loops: loops, hasTLS: tls != nil)
        openAPIDocument = Array(OpenAPIDocument.text(version: version, withAdmin: admin != nil).utf8)
    }

    /// The handler and observer of one loop; called once on each loop's own thread.
    package func makeLoop(_ loop: Int) -> LoopService { LoopService(self, loop: loop) }

    /// The whole text of `/metrics`.
    package func metricsText() -> String {
        var exposition = Exposition()
        exposition.add(requestMetrics.set)
        models.addMetrics(to: &exposition)
        unavailable?.addMetrics(to: &exposition, models: models.plan.models.map(\.name))
        admin?.addMetrics(to: &exposition)
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
        return exposition.text()
    }
}
