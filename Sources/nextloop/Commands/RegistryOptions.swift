import ArgumentParser
import ModelRegistry

/// The options of every command that looks at a registry.
struct RegistryOptions: ParsableArguments {
    @Option(help: "Registry directory.")
    var registry: String

    @Option(help: "Model name: [a-z0-9][a-z0-9._-]{0,63}.")
    var model: String

    var opened: Registry {
        let patience = LockPatience { standardError("nextloop: \($0)") }
        return Registry(path: registry, fileSystem: POSIXFileSystem(patience: patience))
    }
}

/// Which version of a model.
struct VersionOptions: ParsableArguments {
    @Option(help: "Alias to follow. Default: production, unless --version is given.")
    var alias: String?

    @Option(help: "Version number. Default: what the alias names.")
    var version: Int?

    func validate() throws { try Self.check(alias: alias, version: version) }

    /// An option beside another that decides would be read and mean nothing.
    static func check(alias: String?, version: Int?) throws {
        if alias != nil, version != nil {
            throw ValidationError("Got --alias and --version; wanted one of them.")
        }
    }

    var selection: VersionSelection {
        if let version { return .version(version) }
        return .alias(alias ?? "production")
    }
}

/// What the history says of a change of an alias, beside the change.
struct AliasChangeOptions: ParsableArguments {
    @Option(help: "Why, for the history: at most 500 bytes, readable by all who can read the registry.")
    var reason = ""

    @Option(help: "Who, for the history: 1 to 64 bytes. Default: the account that runs the command.")
    var actor: String?
}
