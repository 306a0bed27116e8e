import Base
import Glibc
import WAL

/// The state of a log's feed, as far as a process beside the one that runs it can tell.
enum FeedView: Sendable, Equatable {
  /// The process that has the log open has said so.
  case told(ControlAnswer.Feed)
  /// Nobody has the log open.
  case noProcess
  /// A process has the log open, and listens to nobody: it starts or ends, or it is another command.
  case notListening
  /// It was asked, and no answer came that is of use; the reason.
  case noAnswer(String)
}

/// Asks the process that has a log open how its feed stands; waits for a second at most.
struct FeedObserver: Sendable {
  private let client: ControlClient

  /// - Throws: `SystemError`.
  init(logPath: String) throws {
    client = try ControlClient(ControlAddress(logPath: logPath))
  }

  /// - Parameter writerPID: of the process that has the log open, if any.
  func look(writerPID: Int32?) async -> FeedView {
    guard writerPID != nil else { return .noProcess }
    do {
      guard let feed = try await client.feed() else { return .noAnswer("the answer says nothing of a feed") }
      return .told(feed)
    } catch let error as SystemError {
      if error.meansNobody { return .notListening }
      let isLate = [ETIMEDOUT, EAGAIN].contains(error.code)
      let limit = Figures.duration(ControlClient.glance)
      return .noAnswer(isLate ? "no answer within \(limit): it is stopped, or busy" : error.description)
    } catch let error as CommandFailure {
      return .noAnswer(error.lines.joined(separator: " "))
    } catch {
      return .noAnswer("\(error)")
    }
  }
}
