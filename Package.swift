// swift-tools-version: 6.2
import PackageDescription

/// Settings of every target. `scripts/test` sets SLUICE_STRICT, so that warnings are errors there and
/// never in a package that depends on Sluice.
let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (Context.environment["SLUICE_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)])

/// `Span`-returning members need the feature in the module that declares them, not in those that call them.
let lifetimes: [SwiftSetting] = strict + [.enableExperimentalFeature("Lifetimes")]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let pages: Target.Dependency = .product(name: "FlyingFox", package: "FlyingFox")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func worker(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + ["WorkerRuntime", "DataProcessing"],
        path: "Workers/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "Sluice",
    products: [
        .executable(name: "sluice", targets: ["sluice"]),
        .executable(name: "sluice-worker", targets: ["SluiceWorker"]),
        .executable(name: "sluice-encryption-worker", targets: ["EncryptionWorker"]),
        .library(
            name: "Sluice",
            targets: [
                "ControllerRuntime", "Endpoints", "RunTelemetry", "Telemetry", "Exporters",
                "NDArrays",
                "Statistics", "Journal",
            ]),
        .library(
            name: "SluiceProcessing",
            targets: [
                "WorkerRuntime", "DataProcessing", "Processors", "NDArrays", "Statistics", "TIFF",
            ]),
        .library(name: "SluiceTesting", targets: ["ProcessorTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        // Layer 0
        .target(name: "CLinux"),
        .systemLibrary(name: "CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"])]),
        library("NDArrays", ["CLinux"], settings: lifetimes),
        library("Statistics"),
        library("Journal"),
        // Layer 1
        library("Wire", ["CLinux"]),
        library("TIFF", ["NDArrays", "CTIFF", "CLinux"]),
        library(
            "DataProcessing", ["NDArrays", "Statistics", "CLinux", logging], settings: lifetimes),
        // Layer 2
        library("FrameReaders", ["NDArrays", "TIFF"]),
        library("Processors", ["DataProcessing", "NDArrays", "Statistics", "TIFF"]),
        library("WorkerProtocol", ["Wire", "NDArrays", "Statistics"]),
        library("Pipes", ["CLinux"]),
        library("Keys", ["CLinux", crypto, cryptoExtras, asn1]),
        library(
            "Encryption",
            [
                "Keys", "DataProcessing", "NDArrays", "Statistics", "Wire", "WorkerProtocol",
                "CLinux", crypto, cryptoExtras, logging,
            ]),
        library("Telemetry", ["Statistics", "Journal", "CLinux", logging]),
        .systemLibrary(
            name: "CCURL", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        library(
            "Exporters", ["Telemetry", "Journal", "CCURL", "CPostgreSQL", "CSQLite", "CLinux"]),
        // Layer 3
        library(
            "WorkerRuntime",
            [
                "DataProcessing", "FrameReaders", "WorkerProtocol", "Pipes", "Wire", "NDArrays",
                "Statistics",
                "CLinux", logging,
            ]),
        library(
            "ControllerRuntime",
            [
                "WorkerProtocol", "Pipes", "Wire", "Statistics", "Journal", "NDArrays", "CLinux",
                logging,
            ]),
        library("Endpoints", ["FrameReaders", "TIFF", "ControllerRuntime", "NDArrays"]),
        library(
            "RunTelemetry",
            [
                "ControllerRuntime", "Telemetry", "Exporters", "Statistics", "Journal", "Pipes",
                pages, logging,
            ]),
        // Layer 4
        library(
            "Commands",
            [
                "ControllerRuntime", "Endpoints", "FrameReaders", "WorkerProtocol", "NDArrays",
                "Statistics", "Journal", "RunTelemetry", "Telemetry", "TIFF", "Pipes", "Keys",
                arguments, yaml, logging,
            ]),
        .executableTarget(name: "sluice", dependencies: ["Commands"], swiftSettings: strict),
        // Worker executables
        worker("SluiceWorker", ["Processors"]),
        worker("ExampleWorker", ["Processors", "NDArrays"]),
        worker(
            "FaultyWorker",
            ["Encryption", "Processors", "NDArrays", "Statistics", "Wire", "WorkerProtocol"]),
        worker("EncryptionWorker", ["Encryption", "Keys", "Processors"]),
        // One trial of scripts/bench
        .executableTarget(
            name: "SluiceBenchmark",
            dependencies: [
                "ControllerRuntime", "DataProcessing", "Processors", "NDArrays", "Telemetry",
                "RunTelemetry", "Journal", logging,
            ],
            path: "Tests/Benchmarks/SluiceBenchmark", swiftSettings: strict),
        // One trial of scripts/bench --crypto
        .executableTarget(
            name: "CryptoBenchmark",
            dependencies: ["DataProcessing", "Encryption", "NDArrays"],
            path: "Tests/Benchmarks/CryptoBenchmark", swiftSettings: strict),
        // For processor authors
        library("ProcessorTesting", ["DataProcessing", "NDArrays", "Statistics"]),
        // Tests
        tests("NDArraysTests", ["NDArrays", "CLinux"]),
        tests(
            "WorkerProtocolTests",
            ["WorkerProtocol", "Wire", "NDArrays", "Statistics", "Pipes", "TestSupport"]),
        .target(
            name: "TestSupport",
            dependencies: ["WorkerProtocol", "Wire", "Pipes", "Statistics", "NDArrays"],
            path: "Tests/TestSupport", swiftSettings: strict),
        tests("TidyTests", []),
        // scripts/fuzz runs the same targets under libFuzzer, which the entry point is for
        .testTarget(
            name: "FuzzingTests",
            dependencies: [
                "Commands", "ControllerRuntime", "DataProcessing", "Encryption", "FrameReaders",
                "Journal", "Keys", "NDArrays", "Statistics", "TIFF", "Wire", "WorkerProtocol",
                "CLinux", "TestSupport",
            ],
            path: "Tests/Fuzzing", exclude: ["Dictionaries", "EntryPoint"], swiftSettings: strict),
        tests(
            "DocumentationTests",
            [
                "ControllerRuntime", "DataProcessing", "Endpoints", "ExampleWorker", "Journal",
                "NDArrays", "ProcessorTesting", "SluiceWorker", "Statistics", "TestSupport",
            ]),
        tests(
            "IntegrationTests",
            [
                "ControllerRuntime", "Endpoints", "NDArrays", "Statistics", "Journal",
                "CLinux", "Pipes", "TestSupport", "WorkerProtocol",
                "SluiceWorker", "ExampleWorker", "FaultyWorker", "EncryptionWorker", "Keys",
            ]),
        tests(
            "DataProcessingTests",
            ["DataProcessing", "ProcessorTesting", "NDArrays", "Statistics", "TestSupport"]),
        tests(
            "ProcessorsTests",
            [
                "Processors", "DataProcessing", "ProcessorTesting", "NDArrays", "Statistics",
                "TIFF", "TestSupport", "ExampleWorker",
            ]),
        tests(
            "EncryptionTests",
            [
                "Encryption", "Keys", "DataProcessing", "ProcessorTesting", "NDArrays",
                "Statistics", "TestSupport", crypto, cryptoExtras,
            ]),
        tests("StatisticsTests", ["Statistics", "TestSupport"]),
        tests(
            "ControllerRuntimeTests",
            [
                "ControllerRuntime", "Journal", "NDArrays", "Pipes", "Statistics", "Wire",
                "WorkerProtocol", "CLinux", "TestSupport", "SluiceWorker",
            ]),
        tests(
            "SimulationTests",
            [
                "ControllerRuntime", "Journal", "NDArrays", "Pipes", "Statistics", "Wire",
                "WorkerProtocol", "TestSupport",
            ]),
        tests("JournalTests", ["Journal", "TestSupport"]),
        tests("TelemetryTests", ["Telemetry", "Journal", "Statistics", "TestSupport", logging]),
        tests(
            "RunTelemetryTests",
            [
                "RunTelemetry", "ControllerRuntime", "Telemetry", "Exporters", "Statistics",
                "Journal", "TestSupport",
            ]),
        tests("ExportersTests", ["Exporters", "Telemetry", "Journal", "TestSupport"]),
        tests("WireTests", ["Wire", "CLinux", "TestSupport"]),
        tests("PipesTests", ["Pipes", "CLinux", "TestSupport"]),
        tests("TIFFTests", ["TIFF", "NDArrays", "CLinux", "TestSupport"]),
        tests(
            "WorkerRuntimeTests",
            [
                "WorkerRuntime", "DataProcessing", "FrameReaders", "WorkerProtocol", "Wire",
                "Pipes",
                "NDArrays",
                "Statistics", "TestSupport", "SluiceWorker", "FaultyWorker",
            ]),
        tests(
            "FrameReadersTests", ["FrameReaders", "NDArrays", "TIFF", "TestSupport"]),
        tests(
            "CommandsTests",
            [
                "Commands", "ControllerRuntime", "Endpoints", "Journal", "Keys", "NDArrays",
                "Pipes", "RunTelemetry", "Statistics", "WorkerProtocol", "TestSupport", arguments,
            ]),
        tests(
            "EndpointsTests",
            ["Endpoints", "ControllerRuntime", "FrameReaders", "NDArrays", "TIFF", "TestSupport"]),
    ]
)

/// Targets to build, by name with blanks between, where not all are wanted: `scripts/simulate` builds the
/// simulation with what it needs, and nothing else.
if let wanted = Context.environment["SLUICE_TARGETS"] {
    let names = Set(wanted.split(separator: " ").map(String.init))
    package.targets.removeAll { !names.contains($0.name) }
    package.products.removeAll { product in
        guard let executable = product as? Product.Executable else { return true }
        return !names.isSuperset(of: executable.targets)
    }
}
