import Base
import Glibc
import Synchronization
import WAL

/// Listens on `WAL_PATH.sock` for the process that holds the log's lock, on a thread of its own that serves all
/// clients side by side; see ``ControlClients``.
final class ControlListener: Sendable {
  /// A client's line.
  struct Request: Sendable {
    let client: ControlClients.ID
    let line: [UInt8]
  }

  /// An answer that is ready.
  struct Answer: Sendable {
    let client: ControlClients.ID
    let line: [UInt8]
    /// Whether it is worth saying that the client has gone before it.
    let isMissed: Bool
  }

  /// Messages for the thread.
  struct Mail: Sendable {
    var answers: [Answer] = []
    /// Nobody is heard any more.
    var isStopping = false
    /// All answers are there; whoever has none gets this one.
    var farewell: [UInt8]?
  }

  private let mail = Mutex(Mail())
  private let wake: FileDescriptor
  private let ended = Latch<Void>()

  /// Takes the place of a socket that a killed process has left: the log's lock says that nobody listens there.
  ///
  /// - Parameters:
  ///   - hear: called on the thread with each request, at most ``ControlClients/limit`` before the first is answered.
  ///   - missed: called on the thread with the reason when a client has gone before such an answer.
  ///   - failed: called on the thread, once, when nobody can be heard any more.
  /// - Throws: `SystemError`.
  init(
    _ address: ControlAddress, hear: @escaping @Sendable (Request) -> Void,
    missed: @escaping @Sendable (SystemError) -> Void,
    failed: @escaping @Sendable (SystemError) -> Void
  ) throws(SystemError) {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw SystemError.last("making sockets") }
    let woken = FileDescriptor(owning: pair[0])
    wake = FileDescriptor(owning: pair[1])
    let listening = try ListeningSocket(address)
    let waking = WokenSocket(woken)
    _ = try DedicatedThread(named: "control") { [self] in
      let loop = ControlLoop(
        listening: listening, address: address, woken: waking, takeMail: takeMail, hear: hear, missed: missed)
      do throws(SystemError) {
        try loop.run()
      } catch {
        failed(error)
      }
      loop.closeAll()
      loop.listening.removeName()
      ended.set(())
    }
  }

  /// Gives a client its answer. Any thread may call it.
  func answer(_ answer: Answer) { post { $0.answers.append(answer) } }

  /// Hears nobody any more; answers still get out. Any thread may call it.
  func stop() { post { $0.isStopping = true } }

  /// Ends the thread when the answers that are there, and `farewell` for those who have none, have got out, or a second
  /// is over. Takes the socket's name away; to be called before the log's lock is given up.
  func end(farewell: [UInt8]) async {
    post { mail in
      mail.isStopping = true
      mail.farewell = farewell
    }
    // The task may be cancelled already, and this wait must not be.
    await Task { [ended] in _ = try? await ended.wait() }.value
  }

  private func post(_ change: (inout Mail) -> Void) {
    mail.withLock { change(&$0) }
    var byte: UInt8 = 1
    // Full, it wakes the thread all the same.
    _ = write(wake.number, &byte, 1)
  }

  private func takeMail() -> Mail {
    mail.withLock { mail in
      defer { mail.answers = [] }
      return mail
    }
  }
}
