@preconcurrency import Dispatch
import Glibc
import WAL

/// SIGHUP, counted. From `trap()` to the very end of the process it ends nothing.
///
/// Not with the signals that stop the program: those are let go when it stops, and the default of this one, which
/// would come back then, ends a process.
final class Hangups: Sendable {
  private static let shared = Hangups()

  private let source: DispatchSourceSignal
  /// How many there were.
  let count = Watch(0)

  private init() {
    Self.ignore()
    source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
    source.setEventHandler { [count] in count.update { $0 += 1 } }
    source.resume()
  }

  /// Counts from now on.
  static func trap() -> Watch<Int> { shared.count }

  /// For the time before `trap()`.
  static func ignore() { signal(SIGHUP, SIG_IGN) }
}
