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
    let socket = try connect()
    let line: [UInt8]
    do throws(SystemError) {
      try socket.write(try Self.encoded(request), within: ControlListener.patience)
      line = try socket.readLine(atMost: ControlAnswer.maximumBytes, within: Self.patience)
    } catch {
      throw CommandFailure(
        .problems,
        "the process that has the log open gave no answer (\(error)): it may have done it all the same; look with `tickwal status`"
      )
    }
    return try ControlLine.decode(ControlAnswer.self, line).checked()
  }

  private static func encoded(_ request: ControlRequest) throws(SystemError) -> [UInt8] {
    do {
      return try ControlLine.encode(request)
    } catch {
      preconditionFailure("a request of numbers and texts cannot be encoded: \(error)")
    }
  }

  private func connect() throws(SystemError) -> LineSocket {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError.last("making a socket") }
    let connected = LineSocket(FileDescriptor(owning: descriptor))
    try address.withSocketAddress { (socketAddress, length) throws(SystemError) in
      guard Glibc.connect(descriptor, socketAddress, length) == 0 else {
        throw SystemError.last("connecting to", address.path)
      }
    }
    return connected
  }
}
