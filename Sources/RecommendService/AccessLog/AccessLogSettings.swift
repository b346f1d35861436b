/// What is logged, how and where to.
package struct AccessLogSettings: Sendable {
    package var destination: AccessLogDestination
    package var format = AccessLogFormat.json
    /// Only requests that took at least this long, and all that were refused or failed (a status of 400 and more); nil: all.
    package var slowerThanNanoseconds: UInt64?
    /// Whether lines say who asked. Off: an address is personal data in many places.
    package var includesClient = false
    /// Bytes of lines that wait for the writer, for each loop; a power of two. What comes on top is dropped.
    package var ringBytes = 1 << 20

    package init(destination: AccessLogDestination) { self.destination = destination }

    /// The bounds of ``ringBytes``.
    package static let ringBytesRange = 65_536...(1 << 30)
}

/// What the operator should hear about the log.
package enum AccessLogEvent: Sendable, Equatable, CustomStringConvertible {
    case failed(AccessLogError)
    case recovered(AccessLogDestination)
    case reopened(AccessLogDestination)
    /// So many lines since the last such message.
    case dropped(Int)

    package var description: String {
        switch self {
        case .failed(let error): "\(error); requests go on, lines wait and are then dropped"
        case .recovered(let destination): "the access log, \(destination.name), can be written again"
        case .reopened(let destination): "the access log, \(destination.name), was opened again"
        case .dropped(let count): "\(count) lines of the access log were dropped: it is written too slowly"
        }
    }

    package var isWarning: Bool {
        switch self {
        case .failed, .dropped: true
        case .recovered, .reopened: false
        }
    }
}
