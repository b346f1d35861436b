import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /recommend`: the best items for one user.
    ///
    /// A user that the model does not know gets what is popular within the same filters, marked as a fallback, or a
    /// 404 with `strict=true`.
    func writeRecommend(
        _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query: query, rules, model.snapshot, decoding: &queryItem)
        let type = try writeRecommend(model, into: &body)
        shadow(query, isBody: false, model)
        return type
    }

    /// `POST /recommend`: the same as a JSON object, with a basket that is folded in.
    func writeRecommend(
        object text: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan, _ answering: inout ServedModel?,
        into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        let model = try readObject(text, rules, plan, &answering, inExperiments: true)
        let type = try writeRecommend(model, into: &body)
        shadow(text, isBody: true, model)
        return type
    }

    private func writeRecommend(_ model: ServedModel, into body: inout ByteBuffer) throws(Problem) -> StaticString {
        try checkRecommend(model.snapshot)
        countArm()
        let outcome = try rank(model) { $0.recommend($1, scratch: $2) }
        parameters.withUserID { userID in
            writeRecommendation(
                outcome, scratch, userID: userID, explains: parameters.explain, model: model.name,
                version: model.version, snapshot: model.snapshot,
                written: model.writtenItems, arm: armStatement, requestID: requestID, into: &body)
        }
        return "application/json"
    }

    /// Parses a body, chooses the model that it names and reads the parameters in it.
    func readObject(
        _ text: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan, _ answering: inout ServedModel?,
        inExperiments: Bool = false
    ) throws(Problem) -> ServedModel {
        do {
            try document.parse(text)
        } catch {
            throw .badBody("The body is not JSON as wanted here: \(error).")
        }
        let chosen = try chosenModel(plan, document)
        self.chosen = chosen
        let model = inExperiments ? assigned(chosen, document) : chosen.answering
        answering = model
        try parameters.read(document, rules, model.snapshot)
        return model
    }

    /// Checks what depends on the model: whether the user may fall back and the answer can be explained.
    func checkRecommend(_ snapshot: ModelSnapshot) throws(Problem) { try parameters.check(snapshot) }

    /// Runs one ranking on the loop's scratch, timed and counted, unless it was to be explained and cannot be.
    func rank(
        _ model: ServedModel,
        _ ranking: (ModelSnapshot, RecommendationQuery, RecommendationScratch) -> RecommendationOutcome
    ) throws(Problem) -> RecommendationOutcome {
        denyUnavailable(model)
        let stopwatch = Stopwatch()
        let outcome = ranking(model.snapshot, parameters.query, scratch)
        let took = stopwatch.seconds
        if parameters.explain, !model.snapshot.canExplain(scratch: scratch) { throw .cannotExplain(.unsolvable) }
        accessEntry.strategy = outcome.strategy
        rankSeconds = took
        lastOutcome = outcome
        model.metrics.count(outcome, scratch, seconds: took, loop: loop, expecting: model.writtenItems)
        if let user = parameters.query.user { model.recentUsers.note(user, loop: loop) }
        return outcome
    }

    /// Hands a sample of what the live version answered to the shadow.
    private func shadow(_ text: Span<UInt8>, isBody: Bool, _ model: ServedModel) {
        guard let shadow = chosen?.shadow, model === chosen?.live, text.count <= Shadow.requestBytesMax,
            isSampled(shadow)
        else { return }
        // SAFETY: the span's bytes are alive for the call, which copies them.
        let copy = unsafe text.withUnsafeBufferPointer { unsafe Array($0) }
        shadow.submit(
            ShadowJob(
                text: copy, isBody: isBody, live: RankedIDs(lastOutcome, scratch, model.snapshot),
                seconds: rankSeconds))
    }

    private func isSampled(_ shadow: Shadow) -> Bool {
        let place = samplers.firstIndex { $0.shadow === shadow } ?? samplers.count
        if place == samplers.count { samplers.append((shadow, ShadowSampler())) }
        return samplers[place].sampler.takes(shadow.declaration.share)
    }

    /// Adds to what the request denies the items that are not to be had. Every ranking goes through here.
    func denyUnavailable(_ model: ServedModel) {
        let rows = unavailable.rows(of: model.unavailable)
        if !rows.isEmpty { parameters.deny(rows, model.snapshot) }
    }
}
