import HTTPMessages
import Testing

@Suite("Refusals") struct RefusalTests {
    private var all: [Refusal] {
        Malformation.allCases.map { .malformed($0) } + [
            .timedOut(waitingForBody: false), .timedOut(waitingForBody: true), .bodyTooLarge(bytesMax: 1),
            .requestLineTooLong(bytesMax: 2), .unknownExpectation, .headersTooLarge(bytesMax: 3),
            .tooManyHeaders(countMax: 4), .unsupportedTransferCoding, .connectUnsupported, .notTLS,
            .overloaded(retryAfterSeconds: 5), .tooManyBufferedBytes(retryAfterSeconds: 6), .unsupportedVersion,
            .answerNotReady(retryAfterSeconds: 7),
        ]
    }

    @Test("every detail is its own sentence without markup")
    func details() {
        #expect(Set(all.map(\.detail)).count == all.count)
        for refusal in all {
            #expect(refusal.detail.hasSuffix("."))
            #expect(!refusal.detail.contains { "<>&\"\\".contains($0) || !$0.isASCII })
        }
    }

    @Test("every status has a reason phrase, and only 503 says when to come back")
    func statuses() {
        #expect(Set(all.map(\.status)) == [400, 408, 413, 414, 417, 431, 501, 503, 505])
        for refusal in all {
            #expect(
                "\(reasonPhrase(refusal.status))" != "Client Error"
                    && "\(reasonPhrase(refusal.status))" != "Server Error")
            #expect((refusal.retryAfterSeconds != nil) == (refusal.status == 503))
        }
        #expect("\(reasonPhrase(418))" == "Client Error")
        #expect("\(reasonPhrase(599))" == "Server Error")
    }
}
