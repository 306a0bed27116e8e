import Foundation
import TestSupport
import Testing

@testable import WAL

// What tests do with a log that a walk is taken on.

let logName = "ticks.db"

/// With short checkpoints, so that a small log has many.
func openLog(_ folder: String) async throws -> TickLog {
  var options = TickLog.Options.make()
  options.checkpoints = CheckpointSchedule(passiveFrames: 40)
  return try await TickLog.open(path: folder + "/" + logName, options: options, logger: silent)
}

func contents(of log: TickLog) async throws -> LogContents {
  let reader = try await log.makeReader()
  let contents = try await reader.logContents().contents
  try await reader.close()
  return contents
}

/// Takes steps in bursts, so that some share a commit.
///
/// - Returns: what the log held before the first and after each.
func take(
  _ count: Int, of walk: inout LogWalk, on log: TickLog, _ recorder: CrashRecorder
) async throws -> [LogContents] {
  var history = [walk.model]
  while history.count <= count {
    let last = Latch<Void>()
    let burst = min(count + 1 - history.count, history.count % 4 + 1)
    for number in 1...burst {
      let step = walk.step()
      history.append(walk.model)
      let revision = walk.model.revision
      let request = LogWalk.request(for: step, after: walk.model)
      recorder.ask(revision)
      let isTaken = try log.tryAppend(request.ticks, rejected: request.rejected, body: request.body) {
        result in
        switch result {
        case .success: recorder.confirm(revision)
        case .failure(let error): Issue.record(error, "step \(revision)")
        }
        if number == burst { last.set(()) }
      }
      #expect(isTaken)
    }
    try await last.wait()
  }
  return history
}

/// Opens what a loss of power left, compares it with the model, and goes on with it.
func check(
  _ crash: CrashRecorder.Crash, _ history: [LogContents], _ label: String
) async throws {
  try await withTemporaryFolder { folder in
    for (name, bytes) in crash.files {
      try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
    let context: Comment = "\(label): \(crash.label)"
    let log: TickLog
    do {
      log = try await openLog(folder)
    } catch {
      Issue.record(error, context)
      return
    }
    let reader = try await log.makeReader()
    let (found, integrity) = try await reader.logContents()
    #expect(integrity == "ok", context)
    #expect(found.contradiction == nil, context)
    #expect(crash.confirmed...crash.asked ~= found.revision, context)
    if history.indices.contains(found.revision) {
      let isAsWasAsked = found == history[found.revision]
      #expect(isAsWasAsked, context)
    }
    var walk = LogWalk(seed: UInt64(found.head), from: found)
    let further = try await take(3, of: &walk, on: log, CrashRecorder(seed: 0, writesBetween: 1))
    let goesOn = try await reader.logContents().contents == further.last
    #expect(goesOn, context)
    try await reader.close()
    try await log.close()
  }
}

func inParallel(
  _ indices: Range<Int>, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for lane in 0..<4 {
      group.addTask {
        for index in indices where index % 4 == lane { try await body(index) }
      }
    }
    try await group.waitForAll()
  }
}
