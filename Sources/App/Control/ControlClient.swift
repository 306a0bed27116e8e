import Base
import Glibc
import WAL

/// Asks the process that has a log open.
actor ControlClient {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let address: ControlAddress

  /// The time that an answer may take: a loop that is stopped waits for what it has on its way, and each of several
  /// deliveries for its sink.
  static let patience = Duration.seconds(300)

  init(_ address: ControlAddress) throws {
    executor = try ThreadExecutor()
    self.address = address
  }

  /// - Throws: `SystemError` if nobody listens; `CommandFailure` for a refusal, or for no answer.
  func ask(_ request: ControlRequest) throws -> ControlAnswer {
    let socket = try connect(within: Self.patience)
    let line: [UInt8]
    do throws(SystemError) {
      line = try Self.exchange(socket, request, within: Self.patience)
    } catch {
      throw CommandFailure(
        .problems,
        "the process that has the log open gave no answer (\(error)): it may have done it all the same; look with `tickwal status`"
      )
    }
    return try ControlLine.decode(ControlAnswer.self, line).checked()
  }

  /// The time that a look at the feed may take.
  static let glance = Duration.seconds(1)

  /// How the feed of the process stands. One that is stopped, or is busy with another request, says nothing in time.
  ///
  /// - Throws: `SystemError`: nobody listens, or there is no answer; `CommandFailure` for one that is no use.
  func feed() throws -> ControlAnswer.Feed? {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: Self.glance)
    let socket = try connect(within: Self.glance)
    let line = try Self.exchange(
      socket, .feed, within: max(clock.now.duration(to: deadline), .milliseconds(10)))
    return try ControlLine.decode(ControlAnswer.self, line).checked().feed
  }

  private static func exchange(
    _ socket: borrowing LineSocket, _ request: ControlRequest, within time: Duration
  ) throws(SystemError) -> [UInt8] {
    try socket.write(try encoded(request), within: min(time, ControlListener.patience))
    return try socket.readLine(atMost: ControlAnswer.maximumBytes, within: time)
  }

  private static func encoded(_ request: ControlRequest) throws(SystemError) -> [UInt8] {
    do {
      return try ControlLine.encode(request)
    } catch {
      preconditionFailure("a request of numbers and texts cannot be encoded: \(error)")
    }
  }

  /// - Parameter time: how long to wait while others stand in the queue.
  ///
  /// Reference: socket(7), SO_SNDTIMEO.
  private func connect(within time: Duration) throws(SystemError) -> LineSocket {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError.last("making a socket") }
    let connected = LineSocket(FileDescriptor(owning: descriptor))
    var limit = timeval(tv_sec: Int(time.components.seconds), tv_usec: 0)
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
