// swift-tools-version: 6.2
// A package of its own, so that building Gatehouse does not build what only measures it.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "benchmarks",
    products: [
        .executable(name: "bench-upstream", targets: ["Upstream"]),
        .executable(name: "bench-load", targets: ["Load"]),
    ],
    targets: [
        .systemLibrary(
            name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        // Swift's Glibc has no epoll.
        .systemLibrary(name: "CEpoll", path: "Sources/CEpoll"),
        .target(name: "Wire", dependencies: ["CEpoll", "COpenSSL"], swiftSettings: strict),
        .executableTarget(name: "Upstream", dependencies: ["Wire"], swiftSettings: strict),
        .executableTarget(name: "Load", dependencies: ["Wire"], swiftSettings: strict),
    ]
)
