import Foundation
import TestSupport
import Testing

@testable import FactorModel

@Suite("Fold-in parameters") struct FoldInParametersTests {
    @Test(
        "what is written is what is read",
        arguments: [(40, 0.01), (1e-30, 0), (1e6, 1e9), (0.1, 1e-7)] as [(Float, Float)],
        FoldInParameters.Confidence.allCases)
    func roundTrip(values: (Float, Float), confidence: FoldInParameters.Confidence) throws {
        var contents = sampleContents()
        contents.foldIn = FoldInParameters(alpha: values.0, regularization: values.1, confidence: confidence)
        let directory = try TemporaryDirectory()
        #expect(try openedModel(contents, in: directory).columns.foldIn == contents.foldIn)
    }

    @Test(
        "values outside the bounds are not written",
        arguments: [(0, 1), (-1, 1), (1.1e6, 1), (.nan, 1), (.infinity, 1), (1, -0.1), (1, 1.1e9), (1, .nan)]
            as [(Float, Float)])
    func bounds(values: (Float, Float)) throws {
        var contents = sampleContents()
        contents.foldIn = FoldInParameters(alpha: values.0, regularization: values.1)
        let directory = try TemporaryDirectory()
        #expect(throws: ModelFileError.self) { try writeModelFile(contents, to: directory.file("m")) }
    }

    /// Writes a model and replaces a text of its header by another of the same length.
    private func opened(replacing old: String, by new: String) throws -> ModelSnapshot {
        var contents = sampleContents()
        contents.foldIn = FoldInParameters(alpha: 40, regularization: 0.01)
        let directory = try TemporaryDirectory()
        try writeModelFile(contents, to: directory.file("m"))
        var file = try Data(contentsOf: URL(filePath: directory.file("m")))
        let range = try #require(file.range(of: Data(old.utf8)))
        precondition(old.utf8.count == new.utf8.count)
        file.replaceSubrange(range, with: Data(new.utf8))
        return try ModelSnapshot.open(path: try directory.write(file, as: "changed"))
    }

    @Test("a file that does not name the confidence means 1 + alpha * r")
    func noConfidence() throws {
        let model = try opened(replacing: "\"confidence\":", by: "\"konfidence\":")
        #expect(model.columns.foldIn == FoldInParameters(alpha: 40, regularization: 0.01))
    }

    @Test(
        "texts that are no numbers in the bounds, or alone, are refused",
        arguments: [
            ("\"alpha\":\"40.0\"", "\"alpha\":\"-4.0\""), ("\"alpha\":\"40.0\"", "\"alpha\":\"0x10\""),
            ("\"alpha\":\"40.0\"", "\"alpha\":\"4 .0\""), ("\"alpha\":\"40.0\"", "\"alpha\":\"1e99\""),
            ("\"alpha\":\"40.0\"", "\"alpha\":\" inf\""), ("\"alpha\":\"40.0\"", "\"alpha\":\"....\""),
            ("\"alpha\":", "\"alphb\":"), ("\"regularization\":", "\"regularisation\":"),
            ("\"regularization\":\"0.01\"", "\"regularization\":\"-0.1\""), ("1 + alpha * r", "2 + alpha * r"),
        ])
    func refused(old: String, new: String) throws {
        let error = try #require(throws: ModelFileError.self) { try opened(replacing: old, by: new) }
        guard case .badHeader = error else { throw error }
    }
}
