// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
  .product(name: "NIOHTTP1", package: "swift-nio"),
  .product(name: "NIOWebSocket", package: "swift-nio"),
  .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")

let package = Package(
  name: "tickwal",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CGlibc"),

    .target(name: "Base", dependencies: ["CDeflate", "CGlibc", "COpenSSL", "CZlib"], swiftSettings: strict),
    .target(name: "Ticks", dependencies: ["Base"], swiftSettings: strict),
    .target(name: "Observe", dependencies: [metrics], swiftSettings: strict),
    .target(name: "WAL", dependencies: ["Base", "CSQLite", log, metrics], swiftSettings: strict),
    .target(name: "Ingest", dependencies: ["Base", "Ticks", "WAL", log, metrics] + nio, swiftSettings: strict),
    .target(name: "AWS", dependencies: ["Base", "CCurl", "CGlibc", log, metrics], swiftSettings: strict),
    .target(
      name: "Shippers",
      dependencies: [
        "Base", "Ticks", "WAL", "AWS", "CSQLite", log, metrics,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .target(
      name: "Inspect", dependencies: ["Base", "Ticks", "WAL", "AWS", "Shippers", log], swiftSettings: strict),
    .target(name: "Simulate", dependencies: ["Base", log] + nio, swiftSettings: strict),
    .executableTarget(
      name: "tickwal",
      dependencies: [
        "Base", "CGlibc", "Observe", "Ticks", "WAL", "Ingest", "AWS", "Shippers", "Inspect", "Simulate", log,
        metrics, .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ] + nio,
      path: "Sources/App",
      resources: [
        .embedInCode("Page/page.html"), .embedInCode("Page/page.css"), .embedInCode("Page/page.js"),
      ], swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Base", "CTestDisk", log], path: "Tests/TestSupport",
      swiftSettings: strict),
    .target(
      name: "LogFixtures", dependencies: ["Base", "WAL", "Inspect", "TestSupport", log],
      path: "Tests/LogFixtures", swiftSettings: strict),
    .target(
      name: "ShippingFixtures", dependencies: ["Base", "WAL", "Shippers", "TestSupport", log],
      path: "Tests/ShippingFixtures", swiftSettings: strict),
    .target(name: "CTestDisk", path: "Tests/CTestDisk", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CTestMemory", dependencies: ["CSQLite"], path: "Tests/CTestMemory"),
    .target(name: "CTestVFS", dependencies: ["CSQLite"], path: "Tests/CTestVFS"),
    .executableTarget(
      name: "AllocationFailures", dependencies: ["Base", "WAL", "CTestMemory", log],
      path: "Tests/AllocationFailures",
      swiftSettings: strict),
    .testTarget(
      name: "FuzzTests",
      dependencies: ["Base", "Ticks", "WAL", "Ingest", "AWS", "Shippers", "Simulate", "tickwal", "CSQLite", "TestSupport"]
        + nio,
      swiftSettings: strict),
    .testTarget(name: "ObserveTests", dependencies: ["Observe", metrics], swiftSettings: strict),
    .testTarget(name: "BaseTests", dependencies: ["Base", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "TicksTests", dependencies: ["Base", "Ticks", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "WALTests",
      dependencies: [
        "Base", "WAL", "Inspect", "LogFixtures", "AllocationFailures", "CSQLite", "CTestVFS", "TestSupport",
        log,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "InspectTests",
      dependencies: [
        "Base", "Ticks", "WAL", "AWS", "Shippers", "Inspect", "LogFixtures", "ShippingFixtures",
        "TestSupport",
        log,
      ], swiftSettings: strict),
    .testTarget(
      name: "IngestTests",
      dependencies: ["Base", "Ticks", "Ingest", "Simulate", "TestSupport"] + nio + [
        .product(name: "NIOEmbedded", package: "swift-nio")
      ], swiftSettings: strict),
    .testTarget(name: "AWSTests", dependencies: ["Base", "AWS", "TestSupport", log], swiftSettings: strict),
    .testTarget(
      name: "ShippersTests",
      dependencies: [
        "Base", "Shippers", "Inspect", "ShippingFixtures", "TestSupport", "CSQLite", "CZlib", log,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "AppTests",
      dependencies: [
        "Base", "Inspect", "Ingest", "Observe", "Shippers", "WAL", "tickwal", "LogFixtures", "TestSupport", "CSQLite",
        metrics,
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
