import Base
@preconcurrency import Dispatch
import Glibc
import WAL

/// SIGHUP, counted. From `trap()` to the very end of the process it ends nothing.
///
/// Apart from the signals that stop the program, which are listened to for as long as it works: this one must be
/// harmless in its first and last moments, too.
final class Hangups: Sendable {
  private static let shared = Hangups()

  private let source: DispatchSourceSignal
  /// The number so far.
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
