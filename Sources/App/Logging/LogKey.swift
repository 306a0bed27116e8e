import Logging

/// The names of what messages carry, in one place so that one thing has one name.
enum LogKey: String, Sendable {
  case consumer, offset, head, lag, path, pid, signal, reason, url, streams, version
}

extension Logger.Metadata {
  /// Metadata by key.
  init(_ pairs: KeyValuePairs<LogKey, Logger.MetadataValue>) {
    self.init(pairs.map { ($0.key.rawValue, $0.value) }) { _, last in last }
  }
}
