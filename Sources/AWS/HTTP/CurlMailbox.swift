import Synchronization

/// The mail that tasks leave for curl's thread: new transfers, cancelled ones, and the wish to close.
///
/// It holds at most `limit` transfers from the time they are submitted until they are finished; more are refused.
final class CurlMailbox: Sendable {
  struct Submission {
    var transfer: CurlTransfer
    var completion: AnswerCompletion
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
    /// curl's thread waits, or is about to.
    var isAsleep = false
    var isClosed = false
  }

  private let wakeUp: WakeUp
  private let limit: Int
  private let state: Mutex<State>

  /// - Parameter wakeUp: wakes curl's thread.
  init(wakeUp: WakeUp, limit: Int) {
    self.wakeUp = wakeUp
    self.limit = limit
    state = Mutex(State())
  }

  /// nil when taken; else why not.
  func submit(_ submission: Submission) -> TransportError.Code? {
    state.withLock { state in
      if state.isClosed { return .closed }
      if state.unfinished >= limit { return .overloaded }
      state.unfinished += 1
      state.mail.submitted.append(submission)
      wake(&state)
      return nil
    }
  }

  func cancel(_ transfer: CurlTransfer) {
    // Before it is posted: a transfer that is not yet submitted is found cancelled when it is taken up.
    transfer.cancel()
    state.withLock { state in
      guard !state.isClosed else { return }
      state.mail.cancelled.append(transfer)
      wake(&state)
    }
  }

  func close() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      state.mail.isClosing = true
      wake(&state)
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

  private func wake(_ state: inout State) {
    guard state.isAsleep else { return }
    state.isAsleep = false
    wakeUp.wake()
  }
}
