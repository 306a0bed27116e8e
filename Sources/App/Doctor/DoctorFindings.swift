import Base
import Shippers
import Synchronization

/// The findings of checks that run side by side, in the order in which they are made, and which checks have not
/// answered yet.
final class DoctorFindings: Sendable {
  private struct State {
    var findings: [DoctorFinding] = []
    /// In the order in which they began.
    var running: [String] = []
    var isOver = false
  }

  private let state = Mutex(State())
  private let stream: AsyncStream<DoctorFinding>
  private let continuation: AsyncStream<DoctorFinding>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream(of: DoctorFinding.self)
  }

  /// Each as it is made, until ``end()``; for one reader.
  var news: AsyncStream<DoctorFinding> { stream }

  /// Up to now.
  var all: [DoctorFinding] { state.withLock { $0.findings } }

  /// What comes after the end is passed over.
  func add(_ findings: [DoctorFinding]) {
    for finding in findings {
      let isTaken = state.withLock { state in
        if !state.isOver { state.findings.append(finding) }
        return !state.isOver
      }
      if isTaken { continuation.yield(finding) }
    }
  }

  /// Makes the findings of one check.
  ///
  /// - Parameter name: of the finding that says so if it does not answer in time.
  @discardableResult
  func of(_ name: String, _ check: () async throws -> [DoctorFinding]) async rethrows -> [DoctorFinding] {
    state.withLock { $0.running.append(name) }
    let found = try await check()
    add(found)
    state.withLock { state in state.running.removeAll { $0 == name } }
    return found
  }

  /// Names what has not answered: nobody waits for it any longer.
  func timeIsUp(after time: Duration) {
    let late = state.withLock { state in
      defer { state.running = [] }
      return state.running
    }
    add(late.map { Self.late($0, after: time) })
    end()
  }

  private static func late(_ name: String, after time: Duration) -> DoctorFinding {
    let text = "no answer within \(Figures.duration(time))"
    // run does not ask STS: where only that cannot be reached, it works.
    if name == "identity" { return .warning(name, text, "run does without; check the way to STS") }
    return .failed(name, text, "check network, proxy and endpoint; run waits for it")
  }

  func end() {
    state.withLock { $0.isOver = true }
    continuation.finish()
  }
}
