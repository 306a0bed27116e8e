import Base
import LogFixtures
import Synchronization
import TestSupport
import Testing

@testable import WAL

/// A machine whose clocks the test moves.
final class ManualMachine: Sendable {
  private struct State {
    var boot = "first"
    var uptime: Int64 = 1_000_000_000
    var wall: Int64 = someTime
  }

  private let state = Mutex(State())

  var uptime: Uptime { state.withLock { Uptime(boot: $0.boot, microseconds: $0.uptime) } }
  var wall: Int64 { state.withLock { $0.wall } }

  /// Time goes by.
  func pass(_ time: Duration) {
    state.withLock {
      $0.uptime += time.microseconds
      $0.wall += time.microseconds
    }
  }

  /// Somebody sets the clock.
  func setWall(forwardBy time: Duration) { state.withLock { $0.wall += time.microseconds } }

  /// Restarts, off for so long.
  func restart(off time: Duration) {
    state.withLock {
      $0.boot += "'"
      $0.uptime = 0
      $0.wall += time.microseconds
    }
  }

  func options(vfs: String? = nil) -> TickLog.Options {
    var options = TickLog.Options.make(vfs: vfs)
    options.wallClock = { self.wall }
    options.uptime = { self.uptime }
    return options
  }
}

let anHour = Duration.seconds(3_600)

/// A log that trims what is older than an hour, and a machine whose time the test lets pass.
func withTrimmedLog<T>(
  isolation: isolated (any Actor)? = #isolation, _ consumers: [ConsumerName],
  machine: ManualMachine = .init(),
  _ body: (_ log: TickLog, _ machine: ManualMachine, _ path: String) async throws -> T
) async throws -> T {
  try await withLog(options: machine.options()) { log, path in
    try await log.enable(consumers)
    log.startUpkeep(retention: anHour, disk: .off)
    try await log.upkeepDone()
    return try await body(log, machine, path)
  }
}

extension TickLog {
  @discardableResult
  func enable(_ consumers: [ConsumerName]) async throws -> [Consumer] {
    try await enable(
      consumers.map { ConsumerRequest(name: $0, destination: "{}") }, acceptDestinations: false,
      logger: silent)
  }

  /// Lets the log note how far it is: as often as it does that.
  func note(_ machine: ManualMachine) async throws {
    machine.pass(RetentionRule(retention: anHour).markInterval)
    try await upkeepDone()
  }

  /// Lets everything that is there grow older than the retention.
  func grow(old machine: ManualMachine) async throws {
    try await note(machine)
    machine.pass(anHour)
    try await upkeepDone()
  }

  func commit(_ consumer: ConsumerName, next: Int64) async throws {
    try await write { try $0.commit(consumer, next: Offset(rawValue: next)) }
  }

  func plan(_ consumer: ConsumerName, _ ranges: ClosedRange<Int64>..., shipped: Bool) async throws {
    try await write { transaction in
      for range in ranges {
        let plan = BatchPlan(
          consumer: consumer, range: offsets(range), destination: "{}", bucket: "b", key: "\(range)",
          rows: range.count, sha256: "x")
        try transaction.plan(plan)
        if shipped { try transaction.markShipped(plan) }
      }
    }
  }
}

/// What is in the file: the offsets of its rows and the plans, as ranges.
struct Remains: Equatable {
  var ticks: String
  var plans: String

  init(ticks: String, plans: String = "") {
    self.ticks = ticks
    self.plans = plans
  }

  init(_ log: TickLog) async throws {
    let reader = try await log.makeReader()
    let runs = try await reader.text(
      """
      SELECT group_concat(run, ' ') FROM (SELECT min(offset) || '-' || max(offset) AS run FROM
        (SELECT offset, offset - row_number() OVER (ORDER BY offset) AS g FROM ticks) GROUP BY g ORDER BY g)
      """)
    let plans = try await reader.text(
      """
      SELECT group_concat(plan, ' ') FROM (SELECT first_offset || '-' || last_offset ||
        CASE state WHEN 'planned' THEN '?' ELSE '' END AS plan FROM batches ORDER BY consumer, first_offset)
      """)
    try await reader.close()
    self.init(ticks: runs ?? "", plans: plans ?? "")
  }
}
