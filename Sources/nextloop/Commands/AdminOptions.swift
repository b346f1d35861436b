import ArgumentParser
import Logging
import RecommendService

/// The operator's way in.
struct AdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            File of 1 to 8 lines, each a bearer token of 16 to 512 visible characters that opens /admin. Read anew for every \
            request: replace it to rotate. Default: /admin is not there.
            """, valueName: "file"))
    var adminTokenFile: String?

    /// The operator's part of the service; nil without a token file.
    func admin(_ unavailable: UnavailableItems, _ log: Logger) throws -> Admin? {
        guard let adminTokenFile else { return nil }
        let token = AdminToken(path: adminTokenFile)
        do throws(AdminToken.FileError) {
            _ = try token.tokens()
        } catch {
            throw CommandFailure(.inputMissing, "\(error)")
        }
        if token.isExposed {
            log.warning("the admin token file \(adminTokenFile) can be read by everybody; chmod 600 it")
        }
        return Admin(token: token, unavailable: unavailable) { event in
            log.log(level: event.isWarning ? .warning : .info, "\(event)")
        }
    }
}
