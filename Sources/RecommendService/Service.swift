import FactorModel
import PrometheusText

/// What all loops share: the models, whether to take traffic, and the counters.
package final class Service: Sendable {
    package let models: ModelStore
    package let readiness = Readiness()
    let unavailable: UnavailableItems?
    /// nil when operators have no way in.
    let admin: Admin?
    let requestMetrics: RequestMetrics
    let build: (version: String, commit: String)
    let loops: Int
    /// Made once: it says the same to everybody.
    let openAPIDocument: [UInt8]

    /// - Parameter models: what is served; its loops are the service's.
    package init(
        _ models: ModelStore, version: String, commit: String, unavailable: UnavailableItems? = nil, admin: Admin? = nil
    ) {
        self.models = models
        self.unavailable = unavailable
        self.admin = admin
        loops = models.loops
        build = (version, commit)
        requestMetrics = RequestMetrics(loops: loops)
        openAPIDocument = Array(OpenAPIDocument.text(version: version, admin: admin != nil).utf8)
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
        exposition.add(
            "nextloop_build_info", "The running build.", .gauge,
            [Label("version", build.version), Label("commit", build.commit)], value: 1)
        ProcessMetrics.add(to: &exposition)
        return exposition.text()
    }
}
