import HTTPMessages
import RecommendService
import Testing

@Suite("Reasons of refusals") struct RefusalReasonTests {
    @Test("the labels are these: dashboards and alerts know them")
    func labels() {
        #expect(
            RefusalReason.labels == [
                "head_timeout", "body_timeout", "body_too_large", "request_line_too_long", "unknown_expectation",
                "headers_too_large", "too_many_headers", "unsupported_transfer_coding", "connect_unsupported",
                "not_tls", "connection_limit", "client_limit", "too_busy", "unsupported_version",
                "inflated_body_too_large",
                "unsupported_content_coding", "no_acceptable_coding", "method_too_long", "too_many_buffered_bytes",
                "answer_not_ready", "unknown_path",
                "method_not_allowed", "undecodable_path", "missing_parameter", "unknown_parameter",
                "repeated_parameter", "bad_parameter", "undecodable_query", "bad_body", "unsupported_media_type",
                "too_many_lines", "unknown_user", "unknown_item", "cannot_explain", "not_ready", "busy",
                "length_required", "unknown_model", "unknown_hotel", "not_marked", "not_stored", "unauthorized",
                "malformed_request_line", "malformed_target", "malformed_escape", "malformed_version",
                "malformed_line_ending",
                "malformed_field_name", "malformed_field_value", "malformed_folded_field", "malformed_missing_host",
                "malformed_repeated_host", "malformed_host", "malformed_content_length",
                "malformed_repeated_content_length", "malformed_repeated_transfer_encoding",
                "malformed_transfer_encoding", "malformed_length_and_transfer_encoding",
                "malformed_transfer_encoding_in_http10", "malformed_chunk_size", "malformed_chunk_extension",
                "malformed_chunk_end", "malformed_trailer_field", "malformed_gzip",
            ])
    }

    @Test("every malformation has a label of its own")
    func malformations() {
        let labels = Malformation.allCases.map { RefusalReason($0).label }
        #expect(Set(labels).count == Malformation.allCases.count)
        #expect(labels.allSatisfy { $0.hasPrefix("malformed_") })
        #expect(RefusalReason(Refusal.malformed(.host)) == RefusalReason(Malformation.host))
    }

    @Test("refusals and problems are told apart")
    func reasons() {
        #expect(RefusalReason(.timedOut(waitingForBody: true)).label == "body_timeout")
        #expect(RefusalReason(.overloaded(retryAfterSeconds: 1)).label == "connection_limit")
        #expect(RefusalReason(.tooBusy(retryAfterSeconds: 1)).label == "too_busy")
        #expect(RefusalReason(.missingParameter("user_id")).label == "missing_parameter")
        #expect(RefusalReason(.busy(retryAfterSeconds: 1)).label == "busy")
    }
}
