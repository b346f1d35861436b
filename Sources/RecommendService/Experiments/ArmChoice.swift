import FactorModel
import HTTPMessages
import PrometheusText

/// Who answers a recommendation: the live version, or the one of the guest's arm. Known before anything else is read, because ids mean
/// rows of one version.
extension LoopService {
    /// The version that answers the user of a query.
    func assigned(_ model: ModelPlan, query: Span<UInt8>) throws(Problem) -> ServedModel {
        guard let experiments = model.experiments else { return model.answering }
        var found = false
        try forEachQueryItem(in: query) { (name, value) throws(Problem) in
            guard !found, try names(.userID, query.extracting(name)) else { return }
            try decodeText(query.extracting(value ?? 0..<0), plusIsSpace: true, into: &armUser, or: .undecodableQuery)
            found = true
        }
        // Without a user there is no recommendation: the readers of the parameters say so.
        if !found { return model.answering }
        return armUser.withBytes { choose($0, experiments, model) }
    }

    /// The version that answers the user of a parsed body.
    func assigned(_ model: ModelPlan, _ document: borrowing JSONDocument) -> ServedModel {
        guard let experiments = model.experiments, document.kind(JSONDocument.root) == .object else {
            return model.answering
        }
        var chosen: ServedModel?
        document.forEachMember(of: JSONDocument.root) { name, value in
            guard document.kind(value) == .string, document.withString(name, { equal($0, Parameter.userID.name) })
            else { return }
            chosen = document.withString(value) { choose($0, experiments, model) }
        }
        return chosen ?? model.answering
    }

    /// Counts the choice: once an answer, however often a bulk line is read.
    func countArm() {
        if let (experiments, counter) = armCount.take() { experiments.set.shard(loop).increment(counter) }
    }

    private func choose(_ user: Span<UInt8>, _ experiments: ModelExperiments, _ model: ModelPlan) -> ServedModel {
        let (chosen, statement, counter) = experiments.choose(user, model, live: model.answering)
        armStatement = statement
        if let counter { armCount = (experiments, counter) }
        return chosen
    }
}

extension ModelPlan {
    /// The live version of a model that was chosen to answer.
    var answering: ServedModel {
        guard let live else { preconditionFailure("BUG: \(name) was chosen and has no version") }
        return live
    }
}
