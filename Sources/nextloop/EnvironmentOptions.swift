import ArgumentParser

/// Options from the environment: `NEXTLOOP_PORT=8080` stands for `--port 8080` wherever a command has `--port`.
///
/// The parser is asked for each command's help, which names every option it has: so a new option gets its
/// variable without a second list to keep. Options that the command line gives are left alone.
struct EnvironmentOptions {
    private let root: any ParsableCommand.Type
    private let environment: [String: String]
    /// Which arguments came from the environment, for the error message when one is wrong.
    private(set) var note: String?

    init(root: any ParsableCommand.Type, environment: [String: String]) {
        self.root = root
        self.environment = environment.filter { $0.key.hasPrefix("NEXTLOOP_") && !$0.value.isEmpty }
        let names = self.environment.keys.sorted()
        note = names.isEmpty ? nil : "options may have come from the environment: \(names.joined(separator: ", "))"
    }

    /// `arguments` with what the environment adds, behind the ones given.
    func completing(_ arguments: [String]) -> [String] {
        guard !environment.isEmpty, let (command, depth) = command(of: arguments), depth > 0 else { return arguments }
        let own = arguments.prefix { $0 != "--" }
        var added: [String] = []
        for option in Self.options(in: root.helpMessage(for: command, columns: 1000)) {
            guard let long = option.names.first(where: { $0.hasPrefix("--") }),
                let value = environment[Self.variable(of: long)],
                !own.contains(where: { argument in
                    option.names.contains { argument == $0 || argument.hasPrefix($0 + "=") }
                })
            else { continue }
            if option.takesValue {
                let values = option.repeats ? value.split(separator: ":").map(String.init) : [value]
                added += values.flatMap { [long, $0] }
            } else if ["1", "true", "yes"].contains(value.lowercased()) {
                added.append(long)
            }
        }
        return arguments.prefix(depth) + added + arguments.dropFirst(depth)
    }

    /// `--drain-seconds` → `NEXTLOOP_DRAIN_SECONDS`.
    static func variable(of option: String) -> String {
        "NEXTLOOP_" + option.dropFirst(2).uppercased().replacing("-", with: "_")
    }

    private func command(of arguments: [String]) -> (any ParsableCommand.Type, depth: Int)? {
        var command = root
        var depth = 0
        for argument in arguments {
            guard
                let next = command.configuration.subcommands.first(where: {
                    $0.configuration.commandName == argument
                })
            else { break }
            command = next
            depth += 1
        }
        return (command, depth)
    }

    struct Option: Equatable {
        var names: [String]
        var takesValue: Bool
        var repeats: Bool
    }

    /// Reads the option lines of a help text: `  -k, --k <k>      How many. (default: 10)`.
    static func options(in help: String) -> [Option] {
        help.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("  -"), !line.hasPrefix("   ") else { return nil }
            let head = line.dropFirst(2)
            let words = head.split(separator: " ")
            let names = words.prefix { $0.hasPrefix("-") }.map {
                $0.hasSuffix(",") ? String($0.dropLast()) : String($0)
            }
            let value = words.dropFirst(names.count).first
            let takesValue = value?.hasPrefix("<") ?? false
            return Option(names: names, takesValue: takesValue, repeats: head.contains("> ..."))
        }
    }
}
