// swift-tools-version: 6.2
import PackageDescription

// The decoder under libFuzzer, apart from the package it belongs to: built with another flag for every module.
let package = Package(
  name: "fuzz",
  dependencies: [.package(url: "https://github.com/apple/swift-log", from: "1.16.2")],
  targets: [
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .target(name: "Base", dependencies: ["COpenSSL", "CZlib"]),
    .target(name: "Ticks", dependencies: ["Base"]),
    .target(name: "WAL", dependencies: ["Base", "CSQLite", .product(name: "Logging", package: "swift-log")]),
    .target(name: "Decoding", dependencies: ["Base", "Ticks", "WAL"]),
    .executableTarget(
      name: "decoder-fuzz", dependencies: ["Base", "Decoding", "Ticks", "WAL", "CSQLite"],
      path: "Sources/DecoderFuzz",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]),
  ],
  swiftLanguageModes: [.v6]
)
