package import FactorModel
package import HTTPMessages
package import HTTPServer

/// What is known of one request at its end: a line of the access log.
///
/// Nothing in it is text that a client chose but the request id, whose characters are checked: no path and no query, for they
/// hold user ids.
package struct AccessEntry: Sendable {
    package var method = HTTPMethod.other
    package var route = Route.none
    package var status = 0
    /// Head and decoded body.
    package var requestBytes = 0
    /// Head and body as sent.
    package var responseBytes = 0
    /// From the request being complete in memory to its answer being complete in memory.
    package var nanoseconds: UInt64 = 0
    package var context: RequestContext
    package var traceID: TraceID?
    /// The version that answered.
    package var model: (name: String, version: Int)?
    package var strategy: Strategy?
    package var refusal: RefusalReason?
    /// A streamed answer whose client went away, or was cut off, before its last piece.
    package var wasCut = false

    package init(context: RequestContext = RequestContext()) { self.context = context }
}

/// How lines look.
package enum AccessLogFormat: String, Sendable, CaseIterable {
    /// One JSON object a line; what is not known is left out.
    case json
    /// Columns for the eye, then `name=value`.
    case text
}

extension ByteBuffer {
    /// Appends one line with its line feed. No allocation once the buffer has grown.
    ///
    /// - Parameters:
    ///   - requestID: as ``isRequestID(_:)`` wants it: nothing in it needs escaping.
    ///   - includesClient: whether the line says who asked.
    package mutating func append(
        _ entry: borrowing AccessEntry, requestID: Span<UInt8>, time: (seconds: Int64, nanoseconds: Int),
        _ format: AccessLogFormat, includesClient: Bool, _ timestamp: inout UTCTimestamp
    ) {
        switch format {
        case .json: appendJSON(entry, requestID, time, includesClient, &timestamp)
        case .text: appendText(entry, requestID, time, includesClient, &timestamp)
        }
    }

    private mutating func appendJSON(
        _ entry: borrowing AccessEntry, _ requestID: Span<UInt8>, _ time: (seconds: Int64, nanoseconds: Int),
        _ includesClient: Bool, _ timestamp: inout UTCTimestamp
    ) {
        append("{\"time\":\"" as StaticString)
        timestamp.append(seconds: time.seconds, nanoseconds: time.nanoseconds, to: &self)
        append("\",\"request_id\":\"" as StaticString)
        append(requestID)
        if let traceID = entry.traceID {
            append("\",\"trace_id\":\"" as StaticString)
            traceID.append(to: &self)
        }
        append("\",\"method\":\"" as StaticString)
        append(entry.method.name)
        append("\",\"route\":\"" as StaticString)
        append(entry.route.template)
        append("\",\"status\":" as StaticString)
        appendDecimal(entry.status)
        append(",\"bytes_in\":" as StaticString)
        appendDecimal(entry.requestBytes)
        append(",\"bytes_out\":" as StaticString)
        appendDecimal(entry.responseBytes)
        append(",\"duration_us\":" as StaticString)
        appendDecimal(entry.microseconds)
        if includesClient {
            append(",\"client\":\"" as StaticString)
            entry.context.client.append(to: &self)
            append(UInt8(ascii: "\""))
        }
        if let model = entry.model {
            append(",\"model\":" as StaticString)
            appendJSONString(model.name)
            append(",\"model_version\":" as StaticString)
            appendDecimal(model.version)
        }
        if let strategy = entry.strategy {
            append(",\"strategy\":\"" as StaticString)
            append(strategy.rawValue)
            append(UInt8(ascii: "\""))
        }
        append(",\"tls\":" as StaticString)
        append(entry.context.isEncrypted ? "true" : "false" as StaticString)
        if let refusal = entry.refusal {
            append(",\"reason\":\"" as StaticString)
            append(refusal.label)
            append(UInt8(ascii: "\""))
        }
        if entry.wasCut { append(",\"cut\":true" as StaticString) }
        append("}\n" as StaticString)
    }

    private mutating func appendText(
        _ entry: borrowing AccessEntry, _ requestID: Span<UInt8>, _ time: (seconds: Int64, nanoseconds: Int),
        _ includesClient: Bool, _ timestamp: inout UTCTimestamp
    ) {
        timestamp.append(seconds: time.seconds, nanoseconds: time.nanoseconds, to: &self)
        append(UInt8(ascii: " "))
        append(entry.method.name)
        append(UInt8(ascii: " "))
        append(entry.route.template)
        append(UInt8(ascii: " "))
        appendDecimal(entry.status)
        append(UInt8(ascii: " "))
        appendDecimal(entry.microseconds)
        append("us in=" as StaticString)
        appendDecimal(entry.requestBytes)
        append(" out=" as StaticString)
        appendDecimal(entry.responseBytes)
        append(" id=" as StaticString)
        append(requestID)
        if let traceID = entry.traceID {
            append(" trace=" as StaticString)
            traceID.append(to: &self)
        }
        if includesClient {
            append(" client=" as StaticString)
            entry.context.client.append(to: &self)
        }
        if let model = entry.model {
            append(" model=" as StaticString)
            append(model.name)
            append(UInt8(ascii: "/"))
            appendDecimal(model.version)
        }
        if let strategy = entry.strategy {
            append(" strategy=" as StaticString)
            append(strategy.rawValue)
        }
        append(entry.context.isEncrypted ? " tls=yes" : " tls=no" as StaticString)
        if let refusal = entry.refusal {
            append(" reason=" as StaticString)
            append(refusal.label)
        }
        if entry.wasCut { append(" cut=yes" as StaticString) }
        append(UInt8(ascii: "\n"))
    }
}

extension AccessEntry {
    /// Rounded; more than a century is shown as such.
    fileprivate var microseconds: Int { Int(clamping: nanoseconds / 1000 + (nanoseconds % 1000 >= 500 ? 1 : 0)) }
}
