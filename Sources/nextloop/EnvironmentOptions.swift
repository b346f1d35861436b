import ArgumentParser

/// Options from the environment: `NEXTLOOP_PORT=8080` stands for `--port 8080` wherever a command has `--port`.
///
/// The parser is asked for each command's help, which names every option it has: so a new option gets its
/// variable without a second list to keep. Options that the command line gives are left alone.
struct EnvironmentOptions {
    private let root: any ParsableCommand.Type
    private let environment: [String: String]
    /// Which arguments may have come from the environment, for the error message when one is wrong; nil when none.
    let note: String?

    /// Options of which one rules out the others: the command line's choice silences the variables of the rest.
    private static let alternatives: [[String]] = [
        ["--alias", "--version", "--latest"], ["--all", "--alias"], ["--all", "--version"],
        ["--implicit", "--user-factors"], ["--implicit", "--item-factors"],
        ["--listen", "--host"], ["--listen", "--port"], ["--admin-listen", "--admin-port"],
    ]
    /// Between the values of an option that may be repeated, as in PATH.
    private static let listSeparator: Character = ":"
    /// Repeatable options of commands with so many that their usage does not list them, and a comma where the values have colons
    /// themselves.
    private static let listSeparators: [String: Character] = [
        "--listen": ",", "--admin-listen": ",", "--trusted-proxy": ",",
        "--basket": ",", "--model": ":", "--experiment": ":", "--shadow": ":", "--gate-min-metric": ":",
    ]

    init(root: any ParsableCommand.Type, environment: [String: String]) {
        self.root = root
        self.environment = environment.filter { $0.key.hasPrefix("NEXTLOOP_") && !$0.value.isEmpty }
        let names = self.environment.keys.sorted()
        note = names.isEmpty ? nil : "options may have come from the environment: \(names.joined(separator: ", "))"
    }

    /// `arguments` with what the environment adds, behind the names of the commands.
    ///
    /// - Throws: `CommandFailure` for a flag whose variable says neither yes nor no.
    func completing(_ arguments: [String]) throws -> [String] {
        let (command, depth) = command(of: arguments)
        guard !environment.isEmpty, depth > 0 else { return arguments }
        let given = arguments.prefix { $0 != "--" }
        var added: [String] = []
        for option in Self.options(in: root.helpMessage(for: command, columns: 1000)) {
            guard let value = environment[Self.variable(of: option.name)], !isSettled(option, by: given) else {
                continue
            }
            if !option.takesValue {
                if try isYes(value, Self.variable(of: option.name)) { added.append(option.name) }
            } else if option.repeats {
                added += value.split(separator: Self.listSeparators[option.name] ?? Self.listSeparator).flatMap {
                    [option.name, String($0)]
                }
            } else {
                added += [option.name, value]
            }
        }
        return arguments.prefix(depth) + added + arguments.dropFirst(depth)
    }

    /// `--drain-seconds` → `NEXTLOOP_DRAIN_SECONDS`.
    static func variable(of option: String) -> String {
        "NEXTLOOP_" + option.dropFirst(2).uppercased().replacing("-", with: "_")
    }

    /// Whether the command line gives the option, or another that rules it out.
    private func isSettled(_ option: Option, by given: ArraySlice<String>) -> Bool {
        let rivals = Self.alternatives.filter { $0.contains(option.name) }.flatMap { $0 }
        let names = option.names + rivals
        return given.contains { argument in names.contains { argument == $0 || argument.hasPrefix($0 + "=") } }
    }

    private func isYes(_ value: String, _ variable: String) throws -> Bool {
        switch value.lowercased() {
        case "1", "true", "yes", "on": return true
        case "0", "false", "no", "off": return false
        default: throw CommandFailure(.usage, "\(variable) is '\(value)'; wanted true or false")
        }
    }

    private func command(of arguments: [String]) -> (any ParsableCommand.Type, depth: Int) {
        var command = root
        var depth = 0
        for argument in arguments {
            guard
                let next = command.configuration.subcommands.first(where: { $0.configuration.commandName == argument })
            else { break }
            command = next
            depth += 1
        }
        return (command, depth)
    }

    private struct Option {
        /// The long name, `--k`.
        let name: String
        /// All names, `-k` too.
        let names: [String]
        let takesValue: Bool
        let repeats: Bool
    }

    /// Reads the option lines of a help text, `  -k, --k <k>      Items.`, and from its usage which may be repeated:
    /// `--hotel <hotel> ...`.
    private static func options(in help: String) -> [Option] {
        help.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("  -") else { return nil }
            let words = line.split(separator: " ")
            let names = words.prefix { $0.hasPrefix("-") }.map { String($0.hasSuffix(",") ? $0.dropLast() : $0) }
            guard let name = names.first(where: { $0.hasPrefix("--") }) else { return nil }
            let value = words.dropFirst(names.count).first.flatMap { $0.hasPrefix("<") ? $0 : nil }
            let repeats = listSeparators[name] != nil || value.map { help.contains("\(name) \($0) ...") } ?? false
            return Option(name: name, names: names, takesValue: value != nil, repeats: repeats)
        }
    }
}
