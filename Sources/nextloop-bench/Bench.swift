import ArgumentParser

/// Benchmarks of the hot paths. Each prints what it measured, in what unit, on what kernels.
@main struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nextloop-bench",
        abstract: "Benchmarks of the hot paths; build with -c release.",
        subcommands: [
            ALSBench.self, BulkBench.self, EngineBench.self, LoadCommand.self, ObserverBench.self, TopKBench.self,
        ])
}
