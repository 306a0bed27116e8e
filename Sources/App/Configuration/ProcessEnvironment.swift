import FoundationEssentials

/// The variables this process was started with.
enum ProcessEnvironment {
  static let current = ProcessInfo.processInfo.environment
}
