// swift-tools-version: 6.2
import PackageDescription

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

// The commit to report in nextloop_build_info: from the environment (image builds have no .git), else from git.
let commit = Context.environment["NEXTLOOP_COMMIT"] ?? Context.gitInformation?.currentCommit ?? "unknown"

// Rooms, lowest first. Arrows point down only: see docs/architecture.md.
let package = Package(
    name: "nextloop",
    products: [
        .executable(name: "nextloop", targets: ["nextloop"]),
        .executable(name: "nextloop-bench", targets: ["nextloop-bench"]),
        // For tests only: system calls that fail on request, preloaded into the built binary.
        .library(name: "FaultyCalls", type: .dynamic, targets: ["FaultyCalls"]),
    ],
    dependencies: [
        // Exact: Package.resolved is not kept in git, so these lines alone say what a clone builds, today and in a year.
        // Neither has dependencies of its own. Dependabot moves them (.github/dependabot.yml).
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    ],
    targets: [
        // C only where Swift cannot say it.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CLinux"),
        .target(name: "CBuildInfo", cSettings: [.define("NEXTLOOP_COMMIT", to: "\"\(commit)\"")]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        .target(name: "VectorKernels", dependencies: ["CKernels"]),
        .target(name: "HTTPMessages", dependencies: ["CZlib"]),
        .target(name: "PrometheusText"),
        .target(name: "FactorModel", dependencies: ["VectorKernels", "CZlib"]),
        .target(name: "HotelOrders", dependencies: ["FactorModel", "CZlib"]),
        .target(name: "Training", dependencies: ["FactorModel", "VectorKernels"]),
        .target(name: "ModelRegistry", dependencies: ["FactorModel", "CLinux", "COpenSSL"]),
        .target(name: "HTTPServer", dependencies: ["HTTPMessages", "CLinux", "COpenSSL"]),
        .target(
            name: "RecommendService",
            dependencies: [
                "HTTPServer", "HTTPMessages", "ModelRegistry", "FactorModel", "VectorKernels", "PrometheusText",
                "CLinux",
            ]),

        .executableTarget(
            name: "nextloop",
            dependencies: [
                "RecommendService", "HTTPServer", "ModelRegistry", "Training", "HotelOrders", "FactorModel",
                "VectorKernels", "HTTPMessages", "CBuildInfo", argumentParser, logging,
            ]),
        .target(name: "HTTPLoad", dependencies: ["CLinux"]),
        .executableTarget(
            name: "nextloop-bench",
            dependencies: [
                "HTTPLoad", "RecommendService", "ModelRegistry", "HTTPServer", "HTTPMessages", "Training",
                "FactorModel", "VectorKernels", argumentParser,
            ]),

        .target(name: "TestSupport", dependencies: ["COpenSSL"], path: "Tests/TestSupport"),
        .target(name: "FaultyCalls", path: "Tests/FaultyCalls"),
        .testTarget(
            name: "VectorKernelsTests", dependencies: ["VectorKernels", "TestSupport"], exclude: ["programs"]),
        .testTarget(name: "HTTPMessagesTests", dependencies: ["HTTPMessages", "TestSupport"]),
        .testTarget(name: "PrometheusTextTests", dependencies: ["PrometheusText", "TestSupport"]),
        .testTarget(name: "FactorModelTests", dependencies: ["FactorModel", "VectorKernels", "TestSupport"]),
        .testTarget(name: "HotelOrdersTests", dependencies: ["HotelOrders", "FactorModel", "CZlib", "TestSupport"]),
        .testTarget(name: "TrainingTests", dependencies: ["Training", "FactorModel", "VectorKernels", "TestSupport"]),
        .testTarget(name: "ModelRegistryTests", dependencies: ["ModelRegistry", "FactorModel", "TestSupport"]),
        .testTarget(
            name: "HTTPServerTests", dependencies: ["HTTPServer", "HTTPMessages", "COpenSSL", "TestSupport"]),
        .testTarget(name: "HTTPLoadTests", dependencies: ["HTTPLoad", "nextloop-bench", "TestSupport"]),
        .testTarget(
            name: "RecommendServiceTests",
            dependencies: [
                "RecommendService", "HTTPServer", "HTTPMessages", "ModelRegistry", "FactorModel", "PrometheusText",
                "TestSupport",
            ]),
        // What the fuzzers and the differential tests say about any bytes: docs in Tests/Fuzz and Tests/Differential.
        .target(
            name: "FuzzProperties", dependencies: ["HTTPMessages", "RecommendService", "TestSupport"],
            path: "Tests/Fuzz/Properties"),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzProperties", "TestSupport"], path: "Tests/Fuzz/Replay"),
        .executableTarget(name: "http-frames", dependencies: ["FuzzProperties"], path: "Tests/Differential/Frames"),
        .testTarget(
            name: "DifferentialTests", dependencies: ["TestSupport", "nextloop", "http-frames"],
            path: "Tests/Differential/Tests"),
        // Drives the built `nextloop` binary as a user would.
        .testTarget(name: "ProcessTests", dependencies: ["TestSupport", "ModelRegistry", "FactorModel", "nextloop"]),
        // Drives deploy/blue-green and nginx; the programs that put them on stage are Python.
        .testTarget(name: "DeployTests", dependencies: ["TestSupport", "nextloop"], exclude: ["programs"]),
        // Runs deploy/'s configuration of Prometheus, Alertmanager and Grafana with the real programs.
        .testTarget(name: "MonitoringTests", dependencies: ["TestSupport", "nextloop"], exclude: ["programs"]),
    ]
)

// One executable a fuzz target, for `make fuzz` only: they need -sanitize=fuzzer, whose main they link.
if Context.environment["NEXTLOOP_FUZZ"] != nil {
    for name in ["Requests", "Query", "JSON", "Gzip"] {
        package.targets.append(
            .executableTarget(name: "Fuzz\(name)", dependencies: ["FuzzProperties"], path: "Tests/Fuzz/\(name)"))
    }
}

let house: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let cTargets: Set = ["CKernels", "CLinux", "CBuildInfo", "FaultyCalls"]
for target in package.targets where target.type != .system && !cTargets.contains(target.name) {
    target.swiftSettings = house
    // Their main is libFuzzer's.
    if target.name.hasPrefix("Fuzz"), target.type == .executable {
        target.swiftSettings?.append(.unsafeFlags(["-parse-as-library"]))
    }
}
