import Base
import Glibc
import WAL

/// What `tap` looks at while nothing comes: whether its reader is still there, whether anybody writes the log, and
/// whether the log is still the one that it reads.
final class TapIdle {
  private let path: String
  private let file: FileIdentity?
  private let say: (String) -> Void
  private var hasWriter = true
  private var looks = 0

  /// The time between two looks at the log.
  static let pause = Duration.milliseconds(100)
  /// The looks at the log between two at its writer and its file.
  private static let seldom = 10

  /// - Parameter path: of the log, links followed.
  init(path: String, say: @escaping (String) -> Void) {
    self.path = path
    self.say = say
    file = FileIdentity(path)
  }

  /// Waits until it is time to look again.
  ///
  /// - Throws: `StandardOutput.ReaderIsGone`; `CommandFailure` (1) if the log was taken away; `CancellationError`.
  func wait() async throws {
    if StandardOutput.hasNoReader(STDOUT_FILENO) { throw StandardOutput.ReaderIsGone() }
    if looks.isMultiple(of: Self.seldom) { try lookAtWriter() }
    looks += 1
    try await ContinuousClock().sleep(for: Self.pause)
  }

  /// Says it once when nobody writes the log, and once when somebody does again.
  private func lookAtWriter() throws {
    guard FileIdentity(path) == file else {
      throw CommandFailure(
        .problems,
        "\(path) is not the log any more that is read here: it was removed or replaced; run it again")
    }
    let writer = LogLock.holder(of: path)
    guard (writer != nil) != hasWriter else { return }
    hasWriter = writer != nil
    say(
      writer.map { "process \($0) writes the log: ticks are shown as they come" }
        ?? "no process writes the log: what comes when `tickwal run` does is shown then")
  }
}

/// The file that a path means now.
private struct FileIdentity: Equatable {
  private let device: dev_t
  private let inode: ino_t

  init?(_ path: String) {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    (device, inode) = (info.st_dev, info.st_ino)
  }
}
