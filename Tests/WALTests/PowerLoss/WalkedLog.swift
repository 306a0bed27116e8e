import Base
import Foundation
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

// What tests do with a log that a walk is taken on.

let logName = "ticks.db"

/// With short checkpoints and small pieces of upkeep, so that a small log has many.
///
/// - Parameter machine: its time is what ticks grow old by.
func openLog(_ folder: String, _ machine: ManualMachine? = nil) async throws -> TickLog {
  var options = machine?.options() ?? .make()
  options.checkpoints = CheckpointSchedule(passiveFrames: 40)
  options.trimStep = 7
  options.vacuum = VacuumSchedule(portion: 3, negligible: 5)
  return try await TickLog.open(path: folder + "/" + logName, options: options, logger: silent)
}

func contents(of log: TickLog) async throws -> LogContents {
  let reader = try await log.makeReader()
  let contents = try await reader.logContents().contents
  try await reader.close()
  return contents
}

/// Takes steps in bursts, so that some share a commit, and between them now and then trims what is there.
///
/// - Returns: what the log held before the first and after each, but for what was trimmed.
func take(
  _ count: Int, of walk: inout LogWalk, on log: TickLog, _ recorder: CrashRecorder,
  _ machine: ManualMachine? = nil
) async throws -> [LogContents] {
  var history = [walk.model]
  while history.count <= count {
    let isTrimming = machine != nil && walk.grow()
    if let machine, isTrimming {
      try await log.note(machine)
      recorder.ask(aged: walk.aged)
      machine.pass(anHour)
    }
    async let upkeep: Void = isTrimming ? log.upkeepDone() : ()
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
    try await upkeep
    if isTrimming { try await expectTrimmed(log, walk, recorder) }
  }
  return history
}

private func expectTrimmed(_ log: TickLog, _ walk: LogWalk, _ recorder: CrashRecorder) async throws {
  try await log.upkeepDone()
  let line = walk.model.lastTrimmable(aged: walk.aged)
  recorder.confirm(trimmed: line)
  let difference = try await contents(of: log).difference(from: walk.model.trimmed(through: line))
  #expect(difference == nil, "step \(walk.model.revision)")
  let remains = try await Remains(log).ticks
  #expect(remains == (line < walk.model.head ? "\(line + 1)-\(walk.model.head)" : ""))
}

/// Opens what a loss of power left, compares it with the model, and goes on with it.
func check(
  _ crash: CrashRecorder.Crash, _ history: [LogContents], _ label: String
) async throws {
  // Whose syncs cost nothing.
  try await withSimulatedDisk(files: crash.files.mapValues(DiskModel.LeftFile.init(durable:))) { disk in
    let folder = disk.folder
    let context: Comment = "\(label): \(crash.label)"
    let machine = ManualMachine()
    let log: TickLog
    do {
      log = try await openLog(folder, machine)
    } catch {
      Issue.record(error, context)
      return
    }
    let reader = try await log.makeReader()
    let (found, integrity) = try await reader.logContents()
    #expect(integrity == "ok", context)
    #expect(found.contradiction == nil, context)
    #expect(crash.confirmed...crash.asked ~= found.revision, context)
    #expect(crash.trimmed...crash.aged ~= found.trimmed, context)
    if history.indices.contains(found.revision) {
      let asked = history[found.revision]
      #expect(asked.lastTrimmable(aged: found.trimmed) == found.trimmed, context)
      #expect(found.difference(from: asked.trimmed(through: found.trimmed)) == nil, context)
    }
    let verification = try await LogVerification.of(path: folder + "/" + logName, consumers: kinds)
    #expect(verification.problems.first.map(\.text) == [], context)
    log.startUpkeep(retention: anHour, disk: .off)
    var walk = LogWalk(seed: UInt64(found.head), from: found, aged: crash.aged)
    _ = try await take(3, of: &walk, on: log, CrashRecorder(seed: 0, writesBetween: 1), machine)
    try await log.upkeepDone()
    let after = try await reader.logContents().contents
    #expect(after.difference(from: walk.model.trimmed(through: after.trimmed)) == nil, context)
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
