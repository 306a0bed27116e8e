import Synchronization
import WAL

/// The way that one consumer has come in this process, for progress lines and metrics.
package final class ShippingProgress: Sendable {
  package struct Snapshot: Sendable {
    /// The committed next offset.
    package internal(set) var next: Offset
    package internal(set) var expired = 0
    package internal(set) var deadLetters = 0
  }

  package let consumer: ConsumerName
  private let state: Mutex<Snapshot>

  /// - Parameter next: the consumer's committed next offset.
  package init(consumer: ConsumerName, next: Offset) {
    self.consumer = consumer
    state = Mutex(Snapshot(next: next))
  }

  package var snapshot: Snapshot { state.withLock { $0 } }

  func moved(to next: Offset) { state.withLock { $0.next = next } }

  func committed(next: Offset, expired: Int, deadLetters: Int) {
    state.withLock { state in
      state.next = next
      state.expired += expired
      state.deadLetters += deadLetters
    }
  }
}
