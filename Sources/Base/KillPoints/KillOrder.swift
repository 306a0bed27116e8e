#if DEBUG
  import Glibc
  import Synchronization

  /// At which passing of which point the process is to be killed.
  @usableFromInline
  final class KillOrder: Sendable {
    static let variable = "TICKWAL_KILL_AT"

    /// The one in the environment.
    @usableFromInline static let current: KillOrder? = getenv(variable).flatMap {
      KillOrder(String(cString: $0))
    }

    private let point: String
    private let left: Atomic<Int>

    /// - Returns: `nil` unless it is the name of a point, or that and `:` and which passing is meant.
    init?(_ text: String) {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      guard let name = parts.first, Self.names.contains(String(name)) else { return nil }
      var count = 1
      if parts.count > 1 {
        guard parts.count == 2, let number = DecimalDigits.parse(parts[1], upTo: Int.max), number > 0 else {
          return nil
        }
        count = number
      }
      point = String(name)
      left = Atomic(count)
    }

    @usableFromInline
    func passed(_ name: String) {
      guard name == point, left.subtract(1, ordering: .relaxed).newValue == 0 else { return }
      kill(getpid(), SIGKILL)
      // Should another thread be the one to take the signal.
      while true { pause() }
    }

    static var names: [String] {
      KillPoint.allCases.flatMap { ["\($0.rawValue).before", "\($0.rawValue).after"] }
    }

    static var objection: String? {
      guard let text = getenv(variable), current == nil else { return nil }
      return "\(variable) is '\(String(cString: text))' but must be one of \(names.joined(separator: ", ")), "
        + "each with :2 for its second passing and so on"
    }
  }
#endif
