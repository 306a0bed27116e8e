import NIOCore
import Synchronization
import WAL

/// The handover to the log of what the feed received, in order; says when the socket must not be read.
///
/// It lives on the feed's event loop. What the log's full queue does not take waits here: at most what one read
/// brought (one message of 16 MiB at worst) and what the socket's buffer held when its connection ended.
final class Handover {
  private struct Request {
    var intake: Intake
    var gaps: [GapChange]
  }

  private let log: any FeedLog
  private let loop: NIOIsolatedEventLoop
  private let confirmations: Confirmations
  private var waiting: [Request] = []
  private let roomAgain: () -> Void
  private let failed: (any Error) -> Void
  private var hasFailed = false
  private var drained: (() -> Void)?

  /// The pause if there is room and the log still does not take the request, which is larger than that room.
  private static let retryPause = TimeAmount.milliseconds(10)

  /// - Parameters:
  ///   - roomAgain: called when reading may go on.
  ///   - failed: called once, when the log can take no more.
  init(
    log: any FeedLog, loop: NIOIsolatedEventLoop, roomAgain: @escaping () -> Void,
    failed: @escaping (any Error) -> Void
  ) {
    self.log = log
    self.loop = loop
    self.roomAgain = roomAgain
    self.failed = failed
    confirmations = Confirmations()
  }

  /// True while the log's queue is full: the socket must not be read.
  var isFull: Bool { !waiting.isEmpty }

  func submit(_ intake: Intake, gaps: [GapChange] = []) {
    let request = Request(intake: intake, gaps: gaps)
    guard waiting.isEmpty else { return waiting.append(request) }
    if !hasFailed, !give(request) {
      waiting.append(request)
      waitForRoom(afterRefusal: false)
    }
  }

  /// Calls back when everything submitted is durable. Nothing may be submitted afterwards.
  func whenDrained(_ callback: @escaping () -> Void) {
    drained = callback
    drainIfEmpty()
  }

  private func drainIfEmpty() {
    guard waiting.isEmpty, !hasFailed, let drained else { return }
    self.drained = nil
    let bound = NIOLoopBound(drained, eventLoop: loop.nonisolated())
    confirmations.whenAll { bound.eventLoop.execute { bound.value() } }
  }

  private func give(_ request: Request) -> Bool {
    let bound = NIOLoopBound(self, eventLoop: loop.nonisolated())
    confirmations.expect()
    do {
      let taken = try log.tryAppend(
        request.intake.ticks, rejected: request.intake.rejected, gaps: request.gaps
      ) { [confirmations] result in
        if case .failure(let error) = result { bound.eventLoop.execute { bound.value.fail(error) } }
        confirmations.arrived()
      }
      if !taken { confirmations.arrived() }
      return taken
    } catch {
      confirmations.arrived()
      fail(error)
      return true
    }
  }

  private func waitForRoom(afterRefusal: Bool) {
    let bound = NIOLoopBound(self, eventLoop: loop.nonisolated())
    if afterRefusal {
      _ = loop.scheduleTask(in: Self.retryPause) { self.retry() }
    } else {
      log.whenRoom { bound.eventLoop.execute { bound.value.retry() } }
    }
  }

  private func retry() {
    while let request = waiting.first {
      guard !hasFailed else { return }
      guard give(request) else { return waitForRoom(afterRefusal: true) }
      waiting.removeFirst()
    }
    if !hasFailed { roomAgain() }
    drainIfEmpty()
  }

  private func fail(_ error: any Error) {
    guard !hasFailed else { return }
    hasFailed = true
    waiting.removeAll()
    failed(error)
  }
}

/// The count of what was given to the log and is not confirmed yet; moved by the log's thread as well.
private final class Confirmations: Sendable {
  private struct State {
    var missing = 0
    var callback: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  func expect() { state.withLock { $0.missing += 1 } }

  func arrived() {
    let callback: (@Sendable () -> Void)? = state.withLock { state in
      state.missing -= 1
      guard state.missing == 0 else { return nil }
      defer { state.callback = nil }
      return state.callback
    }
    callback?()
  }

  func whenAll(_ callback: @escaping @Sendable () -> Void) {
    let isNow = state.withLock { state in
      if state.missing > 0 { state.callback = callback }
      return state.missing == 0
    }
    if isNow { callback() }
  }
}
