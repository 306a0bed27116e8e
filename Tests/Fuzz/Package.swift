// swift-tools-version: 6.2
import PackageDescription

// The parsers under libFuzzer, apart from the package that they belong to: built with another flag for every module.
// Of modules that need more than their parsers do, these are only the files with the parsers.
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")

let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")

let package = Package(
  name: "fuzz",
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  ],
  targets: [
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
    .systemLibrary(name: "CGlibc"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate"),
    .target(name: "Base", dependencies: ["CDeflate", "COpenSSL", "CZlib"]),
    .target(name: "Ticks", dependencies: ["Base"]),
    .target(name: "WAL", dependencies: ["Base", "CSQLite", log, metrics]),
    .target(name: "AWS", dependencies: ["Base", "CCurl", "CGlibc", log, metrics]),
    .target(
      name: "Ingest",
      dependencies: [
        "Base", "Ticks", "WAL", .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
      ],
      sources: [
        "Binance", "ExchangeLimits.swift", "FeedError.swift", "Import", "WebSocket/FailedUpgrade.swift",
        "WebSocket/FrameReader.swift", "WebSocket/Handshake.swift", "WebSocket/RetryAfter.swift",
      ]),
    .target(
      name: "Shippers", dependencies: ["Base", "Ticks", "WAL"],
      sources: [
        "DestinationAddress.swift", "Folder/FolderAddress.swift", "Items/DecimalText.swift",
        "Objects/Gaps/GapLedger.swift", "Objects/Lease/FencingTokens.swift", "Objects/Lease/LeaseNote.swift",
        "Objects/ObjectKey.swift", "Objects/ObjectName.swift", "Objects/ObjectSettings.swift",
      ]),
    .target(
      name: "Simulate",
      dependencies: [
        "Base", .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      sources: [
        "ClientLimits.swift", "ClientRequest.swift", "RecordedMessage.swift", "StreamName.swift",
        "SubscriptionError.swift", "UpgradeRequest.swift",
      ]),
    .target(
      name: "tickwal", dependencies: ["Base", "WAL"],
      sources: [
        "Configuration/ExitCode.swift", "Configuration/SizeText.swift", "Configuration/StreamList.swift",
        "Control/ControlMessages.swift", "Running/StreamSecret.swift",
      ]),
    .target(
      name: "Targets",
      dependencies: ["Base", "Ticks", "WAL", "AWS", "Ingest", "Shippers", "Simulate", "tickwal", "CSQLite"]),
    .executableTarget(
      name: "fuzz", dependencies: ["Targets"], path: "Sources/Fuzz",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]),
  ],
  swiftLanguageModes: [.v6]
)
