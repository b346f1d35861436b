/// The reason phrase of a status (RFC 9110 section 15), which says nothing to programs but reads well in a terminal.
///
/// Also the `title` of an error document without a type of its own (RFC 9457 section 4.2.1).
package func reasonPhrase(_ status: Int) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 207: "Multi-Status"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case 507: "Insufficient Storage"
    case 200...299: "Success"
    case 300...399: "Redirection"
    case 400...499: "Client Error"
    default: "Server Error"
    }
}

extension ByteBuffer {
    /// `HTTP/1.1 200 OK` with its CRLF.
    mutating func appendStatusLine(_ status: Int) {
        if status == 200 {
            append("HTTP/1.1 200 OK\r\n")
            return
        }
        append("HTTP/1.1 ")
        appendDecimal(status)
        append(UInt8.space)
        append(reasonPhrase(status))
        append("\r\n")
    }
}
