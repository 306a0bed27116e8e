import LogFixtures
import TestSupport

@testable import WAL

/// Keeps what a loss of power would leave, at many moments of a run that itself goes on.
final class CrashRecorder: Sendable {
  /// What was on the disk at a moment, and what had been promised until then.
  struct Crash: Sendable {
    let files: [String: [UInt8]]
    /// Revisions: the last one confirmed, and the last one asked for.
    let confirmed: Int
    let asked: Int
    /// Offsets: what was trimmed for certain, and the last one that was old enough to be.
    let trimmed: Int64
    let aged: Int64
    let label: String
  }

  private struct State {
    var random: SplitMix64
    var calls = 0
    var confirmed = 0
    var asked = 0
    var trimmed: Int64 = 0
    var aged: Int64 = 0
    var crashes: [Crash] = []
  }

  private let state: Shared<State>
  /// Of so many writes, one is a moment of loss.
  private let writesBetween: Int

  init(seed: UInt64, writesBetween: Int, confirmed: Int = 0) {
    state = Shared(State(random: SplitMix64(seed: seed), confirmed: confirmed, asked: confirmed))
    self.writesBetween = writesBetween
  }

  func watch(_ disk: SimulatedDisk) {
    disk.watch(
      before: { [unowned disk] call in
        self.lose(disk, "before", call)
        return .proceed
      }, after: { [unowned disk] call in if call.kind == .sync { self.lose(disk, "after", call) } })
  }

  func ask(_ revision: Int) { state.withLock { $0.asked = max($0.asked, revision) } }
  func confirm(_ revision: Int) { state.withLock { $0.confirmed = max($0.confirmed, revision) } }
  func ask(aged: Int64) { state.withLock { $0.aged = aged } }
  func confirm(trimmed: Int64) { state.withLock { $0.trimmed = trimmed } }
  var confirmed: Int { state.withLock { $0.confirmed } }
  var crashes: [Crash] { state.withLock { $0.crashes } }

  private func lose(_ disk: SimulatedDisk, _ when: String, _ call: SimulatedDisk.Call) {
    guard call.isChange else { return }
    let writesBetween = writesBetween
    state.withLock { state in
      state.calls += 1
      if call.kind == .write, Int.random(in: 0..<writesBetween, using: &state.random) != 0 { return }
      // What was lost with the power at the last sync is what it lost now: after a sync, only the rest counts.
      let losses: [DiskModel.Loss] =
        when == "after" ? [.all] : [.all, .some, .torn, .none].shuffled(using: &state.random).dropLast(2)
      for loss in losses {
        CrashRecorder.add(disk, loss, "\(when) \(call.kind) of \(call.name), call \(state.calls)", &state)
      }
    }
  }

  /// The power fails now.
  func loseNow(_ disk: SimulatedDisk, _ label: String) {
    state.withLock { state in
      for loss in [DiskModel.Loss.all, .torn] { CrashRecorder.add(disk, loss, label, &state) }
    }
  }

  private static func add(
    _ disk: SimulatedDisk, _ loss: DiskModel.Loss, _ label: String, _ state: inout State
  ) {
    let files = disk.contents(after: loss, using: &state.random)
    if let last = state.crashes.last, last.files == files, last.confirmed == state.confirmed,
      last.trimmed == state.trimmed
    {
      return
    }
    state.crashes.append(
      Crash(
        files: files, confirmed: state.confirmed, asked: state.asked, trimmed: state.trimmed,
        aged: state.aged,
        label: "\(label), \(loss) lost"))
  }
}
