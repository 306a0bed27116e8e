import Base
import Glibc
import Logging
import Synchronization

/// Tells the service manager (systemd) how it goes with this process: that it is ready, reads its list anew, stops,
/// and that it turns. Does nothing where nobody wants to be told, and waits for nobody.
final class ServiceNotifier: Sendable {
  static let ofProcess = ServiceNotifier(environment: ProcessEnvironment.current, pid: getpid())

  private struct State {
    var messages: ServiceMessages
    /// The state that the manager was to be told last and has not taken yet.
    var untold: String?
    var isAlive: @Sendable () -> Bool = { true }
    var logger: Logger?
    var hasComplained = false
  }

  private let socket: NotifySocket?
  private let state: Mutex<State>
  /// The reason why nobody can be told, though somebody wants to be.
  private let trouble: SystemError?
  private let now: @Sendable () -> Duration

  /// Between two looks at the process for `STATUS=`.
  static let statusPause = Duration.seconds(5)

  init(
    environment: [String: String], pid: Int32, now: @escaping @Sendable () -> Duration = MonotonicClock.now
  ) {
    self.now = now
    state = Mutex(State(messages: ServiceMessages(watchdog: Watchdog.interval(environment, pid: pid))))
    guard let address = environment["NOTIFY_SOCKET"], !address.isEmpty else {
      (socket, trouble) = (nil, nil)
      return
    }
    do throws(SystemError) {
      socket = try NotifySocket(address)
      trouble = nil
    } catch {
      (socket, trouble) = (nil, error)
    }
  }

  // MARK: The course of the process

  /// Tells while `body` runs that the process turns, and when its end has been asked for.
  func during<T: Sendable>(
    stop: Latch<Void>, logger: Logger, _ body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    state.withLock { $0.logger = logger }
    if let trouble { complain(trouble) }
    guard socket != nil else { return try await body() }
    return try await withThrowingTaskGroup(of: T?.self) { group in
      group.addTask {
        while true {
          self.beat()
          try await ContinuousClock().sleep(for: self.state.withLock { $0.messages.pause })
        }
      }
      group.addTask {
        try await stop.wait()
        self.stopping()
        return nil
      }
      group.addTask { try await body() }
      defer { group.cancelAll() }
      while let ended = try await group.next() {
        if let result = ended { return result }
      }
      throw CancellationError()
    }
  }

  /// The log is open and what ships runs.
  ///
  /// - Parameter isAlive: the judgement whether the process turns.
  func ready(isAlive: @escaping @Sendable () -> Bool) {
    state.withLock { $0.isAlive = isAlive }
    tell { $0.ready() }
  }

  func reloading() { tell { $0.reloading(at: self.now()) } }
  func reloaded() { tell { $0.reloaded() } }
  func stopping() { tell { $0.stopping(at: self.now()) } }

  /// Shows words to whoever asks the service manager.
  func say(_ text: String) {
    send(state.withLock { $0.messages.status(text) })
  }

  /// Shows again and again what `words` gives, until it is cancelled.
  func say(_ words: @escaping @Sendable () async -> String) async throws {
    guard socket != nil else { return }
    while true {
      say(await words())
      try await ContinuousClock().sleep(for: Self.statusPause)
    }
  }

  // MARK: Sending

  private func beat() {
    let isAlive = state.withLock { $0.isAlive }
    let (untold, due) = state.withLock { state in
      (state.untold, state.messages.beat(at: now(), isAlive: isAlive))
    }
    if let untold { tellState(untold) }
    for text in due { send(text) }
  }

  private func tell(_ change: (inout ServiceMessages) -> String?) {
    if let text = state.withLock({ change(&$0.messages) }) { tellState(text) }
  }

  /// A change of state is sent again at the next beat if it was not taken, unless the next one has come.
  private func tellState(_ text: String) {
    let isSent = send(text)
    state.withLock { $0.untold = isSent ? nil : text }
  }

  @discardableResult
  private func send(_ text: String) -> Bool {
    guard let socket else { return true }
    do throws(SystemError) {
      try socket.send(text)
      return true
    } catch {
      complain(error)
      return false
    }
  }

  private func complain(_ error: SystemError) {
    let logger = state.withLock { state in
      defer { state.hasComplained = state.hasComplained || state.logger != nil }
      return state.hasComplained ? nil : state.logger
    }
    logger?.warning(
      "the service manager cannot be told how it goes: everything else goes on",
      metadata: ["error": "\(error)"])
  }
}
