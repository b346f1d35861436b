package import HTTPMessages

/// Why a request was refused, by the server before a handler saw it or by the application: a metric label and a word in
/// the access log.
///
/// Bounded in number, and none of it chosen by a client. The labels come from the names of the cases, in snake case; a test
/// holds the list, so that renaming a case does not rename a label unnoticed.
package struct RefusalReason: Equatable, Sendable {
    /// The place in ``labels``.
    let index: Int

    package var label: String { Self.labels[index] }

    package static let labels: [String] =
        Named.allCases.map { snakeCase("\($0)") } + Malformation.allCases.map { "malformed_" + snakeCase("\($0)") }

    private enum Named: Int, CaseIterable {
        // Of the server.
        case headTimeout, bodyTimeout, bodyTooLarge, requestLineTooLong, unknownExpectation, headersTooLarge
        case tooManyHeaders, unsupportedTransferCoding, connectUnsupported, notTls, connectionLimit, clientLimit
        case tooBusy, unsupportedVersion, inflatedBodyTooLarge, unsupportedContentCoding, noAcceptableCoding
        case methodTooLong, tooManyBufferedBytes, answerNotReady
        // Of the application: the types of its problems.
        case unknownPath, methodNotAllowed, undecodablePath, missingParameter, unknownParameter, repeatedParameter
        case badParameter, undecodableQuery, badBody, unsupportedMediaType, tooManyLines, unknownUser, unknownItem
        case cannotExplain, notReady, busy, lengthRequired, unknownModel, unknownHotel, notMarked, notStored
        case unauthorized
    }

    private init(named: Named) { index = named.rawValue }

    package init(_ malformation: Malformation) {
        guard let place = Malformation.allCases.firstIndex(of: malformation) else {
            preconditionFailure("BUG: a malformation that is none of them")
        }
        index = Named.allCases.count + place
    }

    package init(_ refusal: Refusal) {
        switch refusal {
        case .malformed(let malformation): self.init(malformation)
        case .timedOut(waitingForBody: false): self.init(named: .headTimeout)
        case .timedOut(waitingForBody: true): self.init(named: .bodyTimeout)
        case .bodyTooLarge: self.init(named: .bodyTooLarge)
        case .requestLineTooLong: self.init(named: .requestLineTooLong)
        case .unknownExpectation: self.init(named: .unknownExpectation)
        case .headersTooLarge: self.init(named: .headersTooLarge)
        case .tooManyHeaders: self.init(named: .tooManyHeaders)
        case .unsupportedTransferCoding: self.init(named: .unsupportedTransferCoding)
        case .connectUnsupported: self.init(named: .connectUnsupported)
        case .notTLS: self.init(named: .notTls)
        case .overloaded: self.init(named: .connectionLimit)
        case .tooManyFromClient: self.init(named: .clientLimit)
        case .tooManyBufferedBytes: self.init(named: .tooManyBufferedBytes)
        case .tooBusy: self.init(named: .tooBusy)
        case .answerNotReady: self.init(named: .answerNotReady)
        case .unsupportedVersion: self.init(named: .unsupportedVersion)
        case .inflatedBodyTooLarge: self.init(named: .inflatedBodyTooLarge)
        case .unsupportedContentCoding: self.init(named: .unsupportedContentCoding)
        case .noAcceptableCoding: self.init(named: .noAcceptableCoding)
        case .methodTooLong: self.init(named: .methodTooLong)
        }
    }

    package init(_ problem: Problem) {
        switch problem {
        case .unknownPath: self.init(named: .unknownPath)
        case .methodNotAllowed: self.init(named: .methodNotAllowed)
        case .undecodablePath: self.init(named: .undecodablePath)
        case .missingParameter: self.init(named: .missingParameter)
        case .unknownParameter: self.init(named: .unknownParameter)
        case .repeatedParameter: self.init(named: .repeatedParameter)
        case .badParameter: self.init(named: .badParameter)
        case .undecodableQuery: self.init(named: .undecodableQuery)
        case .badBody: self.init(named: .badBody)
        case .unsupportedMediaType: self.init(named: .unsupportedMediaType)
        case .tooManyLines: self.init(named: .tooManyLines)
        case .unknownUser: self.init(named: .unknownUser)
        case .unknownItem: self.init(named: .unknownItem)
        case .cannotExplain: self.init(named: .cannotExplain)
        case .notReady: self.init(named: .notReady)
        case .busy: self.init(named: .busy)
        case .lengthRequired: self.init(named: .lengthRequired)
        case .unknownModel: self.init(named: .unknownModel)
        case .unknownHotel: self.init(named: .unknownHotel)
        case .notMarked: self.init(named: .notMarked)
        case .notStored: self.init(named: .notStored)
        case .unauthorized: self.init(named: .unauthorized)
        case .refused: preconditionFailure("BUG: a refusal of the server's that the application is said to have made")
        }
    }
}

/// `transferEncodingInHTTP10` → `transfer_encoding_in_http10`.
private func snakeCase(_ name: String) -> String {
    var text = ""
    var followsLower = false
    for character in name {
        if character.isUppercase, followsLower { text += "_" }
        text += character.lowercased()
        followsLower = !character.isUppercase
    }
    return text
}
