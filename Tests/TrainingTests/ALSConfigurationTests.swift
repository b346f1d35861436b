import Testing
import Training
import VectorKernels

@Suite("ALS configuration") struct ALSConfigurationTests {
    @Test("the defaults are the documented ones and valid") func defaults() throws {
        let settings = ALSConfiguration()
        try settings.validate()
        #expect(settings.factors == 64 && settings.iterations == 15 && settings.regularization == 0.01)
        #expect(settings.alpha == 40 && settings.seed == 42 && settings.solver == .conjugateGradient(steps: 3))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let inside: @Sendable (inout ALSConfiguration) -> Void
        let outside: @Sendable (inout ALSConfiguration) -> Void
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "factors", inside: { $0.factors = 1 }, outside: { $0.factors = 0 }),
        Case(name: "factors", inside: { $0.factors = 1024 }, outside: { $0.factors = 1025 }),
        Case(name: "iterations", inside: { $0.iterations = 1 }, outside: { $0.iterations = 0 }),
        Case(name: "iterations", inside: { $0.iterations = 1000 }, outside: { $0.iterations = 1001 }),
        Case(name: "threads", inside: { $0.threads = 1 }, outside: { $0.threads = 0 }),
        Case(name: "threads", inside: { $0.threads = 256 }, outside: { $0.threads = 257 }),
        Case(
            name: "solver steps", inside: { $0.solver = .conjugateGradient(steps: 1) },
            outside: { $0.solver = .conjugateGradient(steps: 0) }),
        Case(
            name: "solver steps", inside: { $0.solver = .conjugateGradient(steps: 1000) },
            outside: { $0.solver = .conjugateGradient(steps: 1001) }),
        Case(
            name: "regularization", inside: { $0.regularization = 0 },
            outside: { $0.regularization = -.leastNonzeroMagnitude }),
        Case(
            name: "regularization", inside: { $0.regularization = 1e9 },
            outside: { $0.regularization = Float(1e9).nextUp }),
        Case(name: "regularization", inside: { $0.regularization = 1 }, outside: { $0.regularization = .nan }),
        Case(name: "alpha", inside: { $0.alpha = .leastNonzeroMagnitude }, outside: { $0.alpha = 0 }),
        Case(name: "alpha", inside: { $0.alpha = 1e6 }, outside: { $0.alpha = Float(1e6).nextUp }),
        Case(name: "alpha", inside: { $0.alpha = 40 }, outside: { $0.alpha = .infinity }),
        Case(name: "alpha", inside: { $0.alpha = 40 }, outside: { $0.alpha = .nan }),
    ]

    @Test("every bound holds, and one past it is refused by name", arguments: cases)
    func bounds(_ example: Case) throws {
        var settings = ALSConfiguration()
        example.inside(&settings)
        try settings.validate()
        example.outside(&settings)
        let error = #expect(throws: TrainingError.self) { try settings.validate() }
        guard case .invalidSetting(let name, let got, let wanted) = try #require(error) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(name == example.name && !got.isEmpty && !wanted.isEmpty)
    }

    @Test("training refuses what validation refuses, before it looks at the data") func trainingValidates() {
        #expect(throws: TrainingError.invalidSetting(name: "factors", got: "1025", wanted: "1 to 1024")) {
            try trainALS(matrix([], items: 0), settings(factors: 1025))
        }
    }

    @Test("errors say what was got, what was wanted and what to do") func messages() {
        #expect(
            "\(TrainingError.invalidSetting(name: "alpha", got: "0.0", wanted: "more"))" == "alpha is 0.0; wanted more")
        #expect("\(TrainingError.noInteractions(users: 2, items: 3))".contains("2 users × 3 items with 0 interactions"))
        #expect(
            "\(TrainingError.singular(side: .item, row: 7, factors: 9, regularization: 0))".contains(
                "item row 7 have no single solution (9 factors, regularization 0.0); raise the regularization"))
        #expect(
            "\(TrainingError.invalidStrength(user: 1, item: 2, got: -1))".contains("user row 1, item row 2 is -1.0"))
        #expect("\(TrainingError.invalidIndex(user: 1, item: 9, items: 5))".contains("item row 9; wanted rows below 5"))
    }
}
