// swift-tools-version: 6.2
import PackageDescription

// What moving a metric costs, apart from the package whose backend it measures: a release build of it takes seconds.
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")

let package = Package(
  name: "metrics",
  dependencies: [.package(url: "https://github.com/apple/swift-metrics", from: "2.7.0")],
  targets: [
    .target(name: "Observe", dependencies: [metrics]),
    .executableTarget(name: "metrics", dependencies: ["Observe", metrics]),
  ],
  swiftLanguageModes: [.v6]
)
