// swift-tools-version: 6.2
import PackageDescription

// Many callers that each append one tick and wait until it is durable, against the plainest loop of SQLite's C interface
// with one row a commit: how far commits are shared. The log's own modules, apart from the program.
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")

let package = Package(
  name: "callers",
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
  ],
  targets: [
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate"),
    .target(name: "Base", dependencies: ["CDeflate", "COpenSSL", "CZlib"]),
    .target(name: "WAL", dependencies: ["Base", "CSQLite", log, metrics]),
    .executableTarget(name: "callers", dependencies: ["Base", "WAL", "CSQLite", log]),
  ],
  swiftLanguageModes: [.v6]
)
