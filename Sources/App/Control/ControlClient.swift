import Base
import Glibc
import WAL

/// Asks the process that has a log open.
actor ControlClient {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let address: ControlAddress

  init(_ address: ControlAddress) throws {
    executor = try ThreadExecutor(named: "control-client")
    self.address = address
  }

  /// - Parameters:
  ///   - isSilent: called once if no sign of life comes from there.
  /// - Throws: `SystemError` if nobody listens; `CommandFailure` for a refusal, or for no answer; `CancellationError`.
  func ask(
    _ request: ControlRequest, patience: HolderPatience = HolderPatience(),
    isSilent: @Sendable () -> Void = {}
  ) throws -> ControlAnswer {
    var patience = patience
    patience.began(at: MonotonicClock.now())
    func waited(_ isAlive: Bool) throws {
      try Task.checkCancellation()
      switch patience.waited(isAlive: isAlive, at: MonotonicClock.now()) {
      case .wait: break
      case .say: isSilent()
      case .giveUp(let time): throw Self.noAnswer("none within \(Figures.duration(time))")
      }
    }
    let socket = try connect(waiting: patience.pause, waited)
    do throws(SystemError) {
      try socket.write(try Self.encoded(request), within: ControlClients.patience)
    } catch {
      throw Self.noAnswer("\(error)")
    }
    while true {
      let line: [UInt8]?
      do throws(SystemError) {
        let isThere = try socket.isReadable(within: patience.pause)
        line =
          isThere
          ? try socket.readLine(atMost: ControlAnswer.maximumBytes, within: ControlClients.patience) : nil
      } catch {
        throw Self.noAnswer("\(error)")
      }
      if let line { return try ControlLine.decode(ControlAnswer.self, line).checked() }
      try waited(isAlive())
    }
  }

  private static func noAnswer(_ why: String) -> CommandFailure {
    CommandFailure(
      .problems,
      "the process that has the log open gave no answer (\(why)): it may have done it all the same; look with `tickwal status`"
    )
  }

  /// Whether the process answers a question that takes it no time.
  private func isAlive() -> Bool {
    do {
      _ = try feed()
      return true
    } catch {
      return false
    }
  }

  /// The time that a look at the feed may take.
  static let glance = Duration.seconds(1)

  /// How the feed of the process stands. One that is stopped says nothing in time.
  ///
  /// - Throws: `SystemError`: nobody listens, or there is no answer; `CommandFailure` for one that is no use.
  func feed() throws -> ControlAnswer.Feed? {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: Self.glance)
    let socket = try connect(within: Self.glance)
    let left = max(clock.now.duration(to: deadline), .milliseconds(10))
    try socket.write(try Self.encoded(.feed), within: left)
    let line = try socket.readLine(
      atMost: ControlAnswer.maximumBytes,
      within: max(clock.now.duration(to: deadline), .milliseconds(10)))
    return try ControlLine.decode(ControlAnswer.self, line).checked().feed
  }

  private static func encoded(_ request: ControlRequest) throws(SystemError) -> [UInt8] {
    do {
      return try ControlLine.encode(request)
    } catch {
      preconditionFailure("a request of numbers and texts cannot be encoded: \(error)")
    }
  }

  /// Waits for a place in the queue of the socket, which a process that is stopped does not empty.
  private func connect(waiting pause: Duration, _ waited: (Bool) throws -> Void) throws -> LineSocket {
    while true {
      do throws(SystemError) {
        return try connect(within: pause)
      } catch {
        guard error.code == EAGAIN else { throw error }
      }
      try waited(false)
    }
  }

  /// - Parameter time: how long to wait while others stand in the queue; `EAGAIN` is thrown then.
  ///
  /// Reference: socket(7), SO_SNDTIMEO.
  private func connect(within time: Duration) throws(SystemError) -> LineSocket {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError.last("making a socket") }
    let connected = LineSocket(FileDescriptor(owning: descriptor))
    let parts = time.components
    var limit = timeval(
      tv_sec: Int(parts.seconds),
      tv_usec: max(Int(parts.attoseconds / 1_000_000_000_000), parts.seconds > 0 ? 0 : 1))
    guard
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size)) == 0
    else { throw SystemError.last("setting up a socket") }
    try address.withSocketAddress { (socketAddress, length) throws(SystemError) in
      guard Glibc.connect(descriptor, socketAddress, length) == 0 else {
        throw SystemError.last("connecting to", address.path)
      }
    }
    return connected
  }
}
