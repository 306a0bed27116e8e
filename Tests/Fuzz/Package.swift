// swift-tools-version: 6.2
import PackageDescription

// The decoder under libFuzzer, apart from the package it belongs to: built with another flag for every module.
let package = Package(
  name: "fuzz",
  dependencies: [.package(url: "https://github.com/apple/swift-log", from: "1.16.2")],
  targets: [
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .target(name: "Ticks"),
    .target(
      name: "WAL", dependencies: ["CSQLite", "CZlib", .product(name: "Logging", package: "swift-log")]),
    .target(name: "Decoding", dependencies: ["Ticks", "WAL"]),
    .executableTarget(
      name: "decoder-fuzz", dependencies: ["Decoding", "Ticks", "WAL", "CSQLite"],
      path: "Sources/DecoderFuzz",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]),
  ],
  swiftLanguageModes: [.v6]
)
