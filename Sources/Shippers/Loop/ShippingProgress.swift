import Base
import Synchronization
import WAL

/// The way that one consumer has come in this process, for progress lines and metrics.
package final class ShippingProgress: Sendable {
  package struct Snapshot: Sendable {
    /// The committed next offset.
    package internal(set) var next: Offset
    package internal(set) var expired = 0
    package internal(set) var deadLetters = 0
    /// Deliveries that fail; nil while none does.
    package internal(set) var trouble: Trouble?
    /// The objects confirmed last, the newest first; at most ``ShippingProgress/mostObjects``.
    package internal(set) var lastObjects: [SentObject] = []
  }

  /// An object that its destination has.
  package struct SentObject: Sendable, Equatable {
    package let key: String
    package let bytes: Int
    /// Microseconds since 1970, UTC.
    package let confirmedAt: Int64
  }

  package static let mostObjects = 5

  /// Deliveries that fail, and are tried again.
  package struct Trouble: Sendable, Equatable {
    /// Microseconds since 1970, UTC.
    package let since: Int64
    package internal(set) var failures: Int
    /// Of the last one; safe for logs.
    package internal(set) var error: String
    /// Whether nobody needs to change anything for the same to succeed later, as far as the error tells.
    package internal(set) var passes = false
  }

  package let consumer: ConsumerName
  private let state: Mutex<Snapshot>

  /// - Parameter next: the consumer's committed next offset.
  package init(consumer: ConsumerName, next: Offset) {
    self.consumer = consumer
    state = Mutex(Snapshot(next: next))
  }

  package var snapshot: Snapshot { state.withLock { $0 } }

  func failed(_ error: String, passes: Bool = false, at time: Int64 = WallClock.now()) {
    state.withLock { state in
      var trouble = state.trouble ?? Trouble(since: time, failures: 0, error: error)
      trouble.failures += 1
      trouble.error = error
      trouble.passes = passes
      state.trouble = trouble
    }
  }

  func confirmed(_ confirmation: Confirmation, at time: Int64 = WallClock.now()) {
    guard let sent = confirmation.sent, let key = sent.key else { return }
    state.withLock { state in
      state.lastObjects.insert(SentObject(key: key, bytes: sent.bytes, confirmedAt: time), at: 0)
      if state.lastObjects.count > Self.mostObjects { state.lastObjects.removeLast() }
    }
  }

  func recovered() { state.withLock { $0.trouble = nil } }

  func moved(to next: Offset) { state.withLock { $0.next = next } }

  func committed(next: Offset, expired: Int, deadLetters: Int) {
    state.withLock { state in
      state.next = next
      state.expired += expired
      state.deadLetters += deadLetters
    }
  }
}
