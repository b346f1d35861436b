import Foundation
import TestSupport
import Testing

/// docs/http.md beside `serve --help` of the built binary.
@Suite("docs/http.md and serve --help") struct HTTPDocumentationTests {
    /// The text of each flag in the help.
    private let help: [String: String]
    private let page: String
    private static let docs = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs")

    init() throws {
        page = try String(contentsOf: Self.docs.appending(path: "http.md"), encoding: .utf8)
        var help: [String: String] = [:]
        var flag: String?
        for line in try BuiltBinary.run(["serve", "--help"]).output.split(separator: "\n") {
            if let match = line.firstMatch(of: /^  (?:-\w, )?(--[a-z0-9-]+)/) { flag = String(match.1) }
            if let flag { help[flag, default: ""] += line.drop { $0 == " " } + " " }
        }
        self.help = help
    }

    /// The default in the help; nil for a flag without one.
    private func helpDefault(_ flag: String) -> String? {
        help[flag]?.firstMatch(of: /default: ([^);]*)\)/).map { String($0.1) }
    }

    /// Flags with the defaults that the page's tables give: a row has a flag alone in one cell, and a default in its second.
    private var documented: [(flag: String, value: String)] {
        page.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| ") else { return nil }
            let cells = line.split(separator: " | ", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: "| "))
            }
            let flags = cells.compactMap { $0.wholeMatch(of: /`(--[a-z0-9-]+)`/).map { String($0.1) } }
            guard cells.count > 2, flags.count == 1 else { return nil }
            return (flags[0], cells[1])
        }
    }

    /// `10,000`, `75 s` and `100 ms` as the help has them: plain numbers, seconds.
    private func number(_ text: String) -> Double? {
        let words = text.replacing(",", with: "").split(separator: " ")
        guard let first = words.first, let value = Double(first) else { return nil }
        switch words.dropFirst().first {
        case nil, "s": return value
        case "ms": return value / 1000
        default: return nil
        }
    }

    @Test("every default in a table of the page is that of the help")
    func defaults() throws {
        try #require(documented.count >= 25, "the tables were not found")
        for (flag, value) in documented {
            #expect(help[flag] != nil, "\(flag) is no flag of serve")
            let wanted = helpDefault(flag)
            if value == "none" {
                #expect(wanted == nil, "\(flag): none, but the help says \(wanted ?? "")")
            } else if let documented = number(value) {
                #expect(
                    wanted.flatMap(Double.init) == documented,
                    "\(flag): \(value), but the help says \(wanted ?? "none")")
            } else {
                // Words: the default depends on other flags, and the help says how.
                #expect(help[flag]?.contains("Default") == true || wanted == nil, "\(flag): \(value)")
            }
        }
    }

    @Test("every bound that has a flag is in a table")
    func bounds() {
        let flags = help.keys.filter {
            $0.hasPrefix("--max-") || $0.hasPrefix("--min-") || $0.hasSuffix("-timeout") || $0.hasPrefix("--tls-")
        }
        #expect(flags.count > 20)
        // Its place is beside the signals, not among the bounds.
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| ") }
        for flag in flags.sorted() where flag != "--shutdown-timeout" {
            // Alone, or with what it takes.
            let isInATable = rows.contains { $0.contains("`\(flag)`") || $0.contains("`\(flag) ") }
            #expect(isInATable, "\(flag) is in no table")
        }
    }

    @Test("every flag of serve is named on a page")
    func named() throws {
        let files = try FileManager.default.contentsOfDirectory(at: Self.docs, includingPropertiesForKeys: nil)
        let pages = try files.filter { $0.pathExtension == "md" }.map { try String(contentsOf: $0, encoding: .utf8) }
            .joined()
        for flag in help.keys.sorted() where !["--help", "--version"].contains(flag) {
            let isNamed = pages.contains(flag)
            #expect(isNamed, "\(flag) is on no page of docs/")
        }
    }
}
