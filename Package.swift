// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// The data plane never shares a variable between event loops, which is what dynamic exclusivity checking would find;
/// leaving it out is worth 8 to 10 % of a request's instructions.
let requestPath: [SwiftSetting] =
    strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let package = Package(
    name: "gatehouse",
    products: [
        .executable(name: "gatehouse-gateway", targets: ["GatewayMain"]),
        .executable(name: "gatehouse-control", targets: ["ControlPlaneMain"]),
        .executable(name: "gatehouse", targets: ["ClientMain"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    ],
    targets: [
        // What both planes must agree on.
        .systemLibrary(name: "CZlib", path: "Sources/Shared/Drivers/CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Shared",
            dependencies: [
                "CZlib",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Shared",
            exclude: [
                "Drivers", "Snapshot/snapshot.proto", "Usage/usage.proto", "Link/link.proto", "Leases/leases.proto",
            ],
            swiftSettings: requestPath
        ),

        .target(
            name: "TLSIdentity",
            dependencies: [
                "Shared",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Shared/Drivers/TLSIdentity",
            swiftSettings: strict
        ),

        // The gateway.
        .target(
            name: "DataPlane",
            dependencies: [
                "Shared",
                "TLSIdentity",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            path: "Sources/DataPlane",
            exclude: ["Main"],
            swiftSettings: requestPath
        ),
        .executableTarget(
            name: "GatewayMain",
            dependencies: ["DataPlane", "Shared"],
            path: "Sources/DataPlane/Main",
            swiftSettings: requestPath
        ),

        // The control plane and its drivers.
        .systemLibrary(name: "CLibPQ", path: "Sources/ControlPlane/Drivers/CLibPQ", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Postgres",
            dependencies: [
                "CLibPQ",
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/ControlPlane/Drivers/Postgres",
            swiftSettings: strict
        ),
        .target(
            name: "ControlPlane",
            dependencies: [
                "Shared",
                "TLSIdentity",
                "Postgres",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/ControlPlane",
            exclude: ["Drivers", "Main", "Client"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "ControlPlaneMain",
            dependencies: [
                "ControlPlane",
                "Postgres",
                "Shared",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/ControlPlane/Main",
            swiftSettings: strict
        ),

        // The command line for admins' own machines: neither libpq nor the control plane.
        .target(
            name: "AdminClient",
            dependencies: [
                "Shared",
                "TLSIdentity",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/ControlPlane/Client",
            exclude: ["Main"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "ClientMain", dependencies: ["AdminClient"], path: "Sources/ControlPlane/Client/Main",
            swiftSettings: strict
        ),

        // How long reports take, and how fast usage is taken in beside them: scripts/bench-reports.
        .executableTarget(
            name: "ReportBenchmark",
            dependencies: [
                "ControlPlane", "Postgres", "Shared",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Reports",
            swiftSettings: strict
        ),

        // What renewing leases takes and costs, and how fast usage is taken in beside it: scripts/bench-leases.
        .executableTarget(
            name: "LeaseBenchmark",
            dependencies: [
                "ControlPlane", "DataPlane", "Postgres", "Shared",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Leases",
            swiftSettings: requestPath
        ),

        // What deciding on access takes in a large organization: make bench-access.
        .executableTarget(
            name: "AccessBenchmark",
            dependencies: ["ControlPlane", "Shared"],
            path: "Benchmarks/Access",
            swiftSettings: strict
        ),

        // Tests. `TestKit` starts what tests need; on Linux all test targets link into one binary.
        .systemLibrary(name: "CSpawn", path: "Tests/TestKit/Processes/CSpawn"),
        .target(
            name: "TestKit",
            dependencies: [
                "CSpawn", "Postgres", "Shared", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestKit",
            exclude: ["Processes/CSpawn"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SharedTests",
            dependencies: ["Shared", "TestKit", .product(name: "Crypto", package: "swift-crypto")],
            exclude: ["Rules/price-cases.txt"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DataPlaneTests",
            dependencies: [
                "DataPlane", "Shared", "TLSIdentity", "TestKit",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "ControlPlane", "Postgres", "Shared", "TestKit",
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // Both planes' rules about money in one process, under one clock and one seed: `make sim`.
        .testTarget(
            name: "Simulation",
            dependencies: [
                "ControlPlane", "DataPlane", "Postgres", "Shared", "TestKit",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClientTests",
            dependencies: [
                "AdminClient", "ControlPlane", "Postgres", "Shared", "TestKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "DriversTests", dependencies: ["Postgres", "TestKit"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestKit", "Postgres", "Shared", "ControlPlane", "GatewayMain", "ControlPlaneMain",
                "ClientMain",
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ],
            swiftSettings: strict
        ),
    ]
)
