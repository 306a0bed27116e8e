import CCurl
import Synchronization

/// curl's multi handle, as far as other threads may use it.
// Safe because curl's own thread alone uses it for anything but curl_multi_wakeup, which curl allows from any thread.
// Breaks if one does so after the handle was freed: the mailbox forgets it before.
struct CurlMulti: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer
}

/// The mail that tasks leave for curl's thread: new transfers, cancelled ones, and the wish to close.
///
/// It holds at most `limit` transfers from the time they are submitted until they are finished; more are refused.
final class CurlMailbox: Sendable {
  struct Submission {
    var transfer: CurlTransfer
    var continuation: CurlTransfer.Continuation
  }

  struct Mail {
    var submitted: [Submission] = []
    var cancelled: [CurlTransfer] = []
    var isClosing = false
    var isEmpty: Bool { submitted.isEmpty && cancelled.isEmpty && !isClosing }
  }

  private struct State {
    var mail = Mail()
    var unfinished = 0
    /// curl's thread waits in `curl_multi_poll`, or is about to.
    var isAsleep = false
    var isClosed = false
    /// nil once the thread has ended: waking it then would touch freed memory.
    var multi: CurlMulti?
  }

  private let limit: Int
  private let state: Mutex<State>

  init(multi: CurlMulti, limit: Int) {
    self.limit = limit
    state = Mutex(State(multi: multi))
  }

  /// nil when taken; else why not.
  func submit(_ submission: Submission) -> TransportError.Code? {
    state.withLock { state in
      if state.isClosed { return .closed }
      if state.unfinished >= limit { return .overloaded }
      state.unfinished += 1
      state.mail.submitted.append(submission)
      Self.wake(&state)
      return nil
    }
  }

  func cancel(_ transfer: CurlTransfer) {
    // Before it is posted: a transfer that is not yet submitted is found cancelled when it is taken up.
    transfer.cancel()
    state.withLock { state in
      guard !state.isClosed else { return }
      state.mail.cancelled.append(transfer)
      Self.wake(&state)
    }
  }

  func close() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      state.mail.isClosing = true
      Self.wake(&state)
    }
  }

  /// All that has come in, into `mail`, whose arrays are reused. `finished` transfers make room for others.
  func take(_ mail: inout Mail, finished: Int) {
    mail.submitted.removeAll(keepingCapacity: true)
    mail.cancelled.removeAll(keepingCapacity: true)
    state.withLock { state in
      state.isAsleep = false
      state.unfinished -= finished
      swap(&state.mail, &mail)
    }
  }

  /// Whether the thread may go to sleep: no when mail has come in the meantime.
  func mayFallAsleep() -> Bool {
    state.withLock { state in
      state.isAsleep = state.mail.isEmpty
      return state.isAsleep
    }
  }

  /// The thread is done with curl; nothing wakes it any more.
  func end() {
    state.withLock { $0.multi = nil }
  }

  private static func wake(_ state: inout State) {
    guard state.isAsleep, let multi = state.multi else { return }
    state.isAsleep = false
    curl_multi_wakeup(multi.pointer)
  }
}
