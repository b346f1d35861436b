package import FoundationEssentials
import Synchronization

/// What operators may do, and the check that it is one. Off (404) when a process has none.
package final class Admin: Sendable {
    let token: AdminToken
    let unavailable: UnavailableItems
    let report: @Sendable (AdminEvent) -> Void
    private let counts = Mutex<[AdminResult: Int]>([:])
    /// When a refusal was last told, and how many were not since.
    private let refusals = Mutex<[AdminResult: (at: ContinuousClock.Instant, untold: Int)]>([:])

    /// - Parameter report: told of every change and every refused attempt; never of a token.
    package init(
        token: AdminToken, unavailable: UnavailableItems, report: @escaping @Sendable (AdminEvent) -> Void
    ) {
        self.token = token
        self.unavailable = unavailable
        self.report = report
    }

    /// Lets a request through that presents one of the tokens (RFC 6750 section 2.1).
    ///
    /// - Parameter authorization: the value of the `Authorization` header, empty without one.
    func check(_ authorization: Span<UInt8>, _ route: Route) throws(Problem) {
        let result: AdminResult
        do throws(AdminToken.FileError) {
            result = try self.result(of: authorization)
        } catch {
            note(.unreadableToken)
            reportRefusal(.unreadableToken) { .tokenUnreadable(error.description, untold: $0) }
            throw .notReady("The admin token file cannot be read at the moment. The log says why.")
        }
        note(result)
        if result == .accepted { return }
        reportRefusal(result) { .refused("\(route.template)", result, untold: $0) }
        throw .unauthorized(isWrong: result == .wrongToken)
    }

    private func note(_ result: AdminResult) { counts.withLock { $0[result, default: 0] += 1 } }

    /// Tells of one refusal a second and kind: whoever guesses tokens fills no disk and stops no loop at a full pipe.
    ///
    /// - Parameter event: made with the number of those that were not told since the last one.
    private func reportRefusal(_ result: AdminResult, _ event: (Int) -> AdminEvent) {
        let now = ContinuousClock.now
        let untold = refusals.withLock { refusals -> Int? in
            let last = refusals[result]
            if let last, now - last.at < .seconds(1) {
                refusals[result]?.untold += 1
                return nil
            }
            refusals[result] = (now, 0)
            return last?.untold ?? 0
        }
        if let untold { report(event(untold)) }
    }

    /// Whose request it is; the file is read for those only that present something.
    private func result(of authorization: Span<UInt8>) throws(AdminToken.FileError) -> AdminResult {
        guard let presented = Self.bearerToken(in: authorization) else { return .missingToken }
        let tokens = try token.tokens()
        // All of them, whichever fits.
        var fits = false
        for token in tokens where constantTimeEqual(authorization.extracting(presented), token) { fits = true }
        return fits ? .accepted : .wrongToken
    }

    /// Where the token lies in `Bearer <token>`; the scheme in any case (RFC 9110 section 11.1).
    private static func bearerToken(in authorization: Span<UInt8>) -> Range<Int>? {
        let scheme: StaticString = "bearer"
        let length = scheme.utf8CodeUnitCount
        guard authorization.count > length, authorization[length] == UInt8(ascii: " ") else { return nil }
        for index in 0..<length {
            // SAFETY: index is below the count of the scheme's bytes.
            if unsafe authorization[index] | 0x20 != scheme.utf8Start[index] { return nil }
        }
        var start = length
        while start < authorization.count, authorization[start] == UInt8(ascii: " ") { start += 1 }
        return start < authorization.count ? start..<authorization.count : nil
    }

    /// Requests so far by result.
    func count(_ result: AdminResult) -> Int { counts.withLock { $0[result] ?? 0 } }
}

/// What became of a request to `/admin`; the names are metric labels.
package enum AdminResult: String, Sendable, CaseIterable {
    case accepted
    case missingToken = "missing_token"
    case wrongToken = "wrong_token"
    case unreadableToken = "unreadable_token"
}

/// What an operator's log should hold of `/admin`.
package enum AdminEvent: Sendable, Equatable, CustomStringConvertible {
    /// With the number of the same kind that were not told since the last one.
    case refused(String, AdminResult, untold: Int)
    case reload
    case tokenUnreadable(String, untold: Int)
    case unavailable(model: String, item: String, hotel: String?, until: Date?)
    case available(model: String, item: String, hotel: String?)
    case heldBack, letGo

    package var isWarning: Bool {
        switch self {
        case .refused, .tokenUnreadable: true
        case .reload, .unavailable, .available, .heldBack, .letGo: false
        }
    }

    package var description: String {
        switch self {
        case .refused(let path, let result, let untold):
            "admin: a request to \(path) was refused: \(result.rawValue)"
                + Self.before(untold)
        case .reload: "admin: a look at the registry was asked for"
        case .tokenUnreadable(let reason, let untold): "admin: \(reason)\(Self.before(untold))"
        case .unavailable(let model, let item, let hotel, let until):
            "admin: \(model): item \(item) is unavailable\(Self.at(hotel))"
                + (until.map { " until \($0.formatted(.iso8601))" } ?? "")
        case .available(let model, let item, let hotel):
            "admin: \(model): item \(item) is available again\(Self.at(hotel))"
        case .heldBack: "admin: drained: /readyz says 503, requests are answered"
        case .letGo: "admin: undrained"
        }
    }

    private static func before(_ untold: Int) -> String { untold > 0 ? ", and \(untold) like it before" : "" }

    private static func at(_ hotel: String?) -> String { hotel.map { " at hotel \($0)" } ?? " everywhere" }
}
