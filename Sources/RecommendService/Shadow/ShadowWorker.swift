import FactorModel
import FoundationEssentials
import HTTPMessages
package import HTTPServer

/// Answers one model's sampled requests once more, by its shadow's version. Lives on one thread.
final class ShadowWorker {
    private let store: ModelStore
    private let model: String
    private let shadow: Shadow
    private let scratch = RecommendationScratch()
    private var parameters = RecommendParameters()
    private var queryItem = DecodedQueryItem()
    private var document = JSONDocument()
    private var unavailable = UnavailableSlot.Reader()

    init(_ store: ModelStore, model: String, _ shadow: Shadow) {
        self.store = store
        self.model = model
        self.shadow = shadow
    }

    /// Never returns.
    func run() -> Never {
        while true { compare(shadow.next()) }
    }

    /// Answers and compares what waits now.
    func drain() {
        while let job = shadow.nextIfAny() { compare(job) }
    }

    private func compare(_ job: ShadowJob) {
        // Nothing of the plan is kept between two requests: a shadow holds no version in memory that nobody wants.
        guard let version = store.plan.model(named: model)?.selected(shadow.declaration.selector) else {
            return shadow.metrics.countDropped()
        }
        let metrics = shadow.metrics.of(version: version.version)
        do throws(Problem) {
            let (ranked, seconds) = try answer(job, version)
            metrics.count(job.live, ranked, liveTook: job.seconds, shadowTook: seconds)
        } catch {
            metrics.countFailure()
        }
    }

    private func answer(_ job: ShadowJob, _ version: ServedModel) throws(Problem) -> (RankedIDs, seconds: Double) {
        let text = job.text
        if job.isBody {
            guard let rules = Route.recommend.bodyRules else { preconditionFailure("BUG: no rules of a body") }
            do {
                try document.parse(text.span)
            } catch {
                throw .badBody("\(error)")
            }
            try parameters.read(document, rules, version.snapshot)
        } else {
            guard let rules = Route.recommend.queryRules else { preconditionFailure("BUG: no rules of a query") }
            try parameters.read(query: text.span, rules, version.snapshot, decoding: &queryItem)
        }
        if parameters.strict, parameters.query.user == nil { throw .unknownUser }
        let rows = unavailable.rows(of: version.unavailable)
        if !rows.isEmpty { parameters.deny(rows, version.snapshot) }
        let clock = ContinuousClock()
        let began = clock.now
        let outcome = version.snapshot.recommend(parameters.query, scratch: scratch)
        let seconds = (clock.now - began) / .seconds(1)
        return (RankedIDs(outcome, scratch, version.snapshot), seconds)
    }
}

extension RankedIDs {
    /// The first ranks of an answer.
    init(_ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot) {
        isByVector = outcome.strategy == .als || outcome.strategy == .foldIn
        for rank in 0..<min(ranked.count, Shadow.depth) {
            snapshot.withItemID(ranked[rank].item) { id in
                // SAFETY: the span's bytes are alive for the call, which copies them.
                ids.append(unsafe id.withUnsafeBufferPointer { unsafe Array($0) })
            }
            scores.append(ranked[rank].score)
        }
    }
}

extension Service {
    /// Starts the threads of the shadows. At the loops' own priority, because they take locks that loops take: what they cost is bounded by
    /// their share of the traffic.
    package func startShadows() throws(SystemError) {
        for model in models.plan.models {
            guard let shadow = model.shadow else { continue }
            let store = models
            let name = model.name
            try POSIXThread.detach(name: "shadow") { ShadowWorker(store, model: name, shadow).run() }
        }
    }
}
