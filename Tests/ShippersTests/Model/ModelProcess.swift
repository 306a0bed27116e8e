import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport

@testable import Shippers
@testable import WAL

/// One life of a process: it ends at a certain call to a place, or change of a file, and what is then on its
/// disk is kept.
final class ModelProcess: Sendable {
  enum End: Sendable {
    /// Before the nth call to a place takes effect, or after it.
    case call(Int, isAfter: Bool)
    /// At the nth change of a file.
    case change(Int)
    case never
  }

  /// What the end leaves of what was not synced; `nil` if the machine goes on.
  typealias Loss = DiskModel.Loss?

  let world: ModelWorld
  let number: Int
  let dice: FaultDice
  /// What it leaves.
  let end = Latch<[String: DiskModel.LeftFile]>()
  private let disk: SimulatedDisk
  private let moment: End
  private let loss: Loss
  private let counts = Mutex((calls: 0, changes: 0, attempts: [String: Int]()))
  private let isLooking = Watch(false)
  /// What looks at the log, between calls.
  private let reader = Mutex<LogReader?>(nil)

  init(world: ModelWorld, dice: FaultDice, disk: SimulatedDisk, moment: End, loss: Loss) {
    self.world = world
    self.dice = dice
    self.disk = disk
    self.moment = moment
    self.loss = loss
    number = world.begin()
    disk.watch(before: { [weak self] call in
      if call.isChange { self?.change() }
      return .proceed
    })
  }

  var isAlive: Bool { world.isAlive(number) }

  func die() {
    guard world.end(number) else { return }
    let left: [String: DiskModel.LeftFile]
    if let loss {
      var random = SplitMix64(seed: dice.seed)
      left = disk.contents(after: loss, using: &random).mapValues(DiskModel.LeftFile.init(durable:))
    } else {
      left = disk.leftFiles()
    }
    world.left()
    end.set(left)
  }

  private func change() {
    let count = counts.withLock { counts in
      counts.changes += 1
      return counts.changes
    }
    if case .change(count) = moment, isAlive {
      world.note(.endAtChange)
      die()
    }
  }

  private func endAtCall() {
    world.note(.endAtCall)
    die()
  }

  // MARK: Looking

  func look(through reader: LogReader?) { self.reader.withLock { $0 = reader } }

  /// Compares the log with the model.
  func see() async throws {
    try await alone { try await compare() }
  }

  /// The same, unless that is done already.
  private func glance() async throws {
    guard takeTurn() else { return }
    defer { passTurn() }
    try await compare()
  }

  private func compare() async throws {
    guard let reader = reader.withLock({ $0 }) else { return }
    let confirmed = world.model.confirmed
    let snapshot = try await reader.snapshot()
    world.confirm(number) { $0.see(snapshot, confirmed: confirmed) }
  }

  /// Runs `body` while nobody else looks: what was seen before another look may be told after it.
  func alone<T>(_ body: () async throws -> T) async throws -> T {
    while !takeTurn() { _ = try await isLooking.wait { !$0 } }
    defer { passTurn() }
    return try await body()
  }

  private func takeTurn() -> Bool {
    let isMine = Mutex(false)
    isLooking.update { isLooking in
      isMine.withLock { $0 = !isLooking }
      isLooking = true
    }
    return isMine.withLock { $0 }
  }

  private func passTurn() { isLooking.update { $0 = false } }

  /// The plan that an upload is made for must be durable.
  func expectPlan(of object: NewObject) async throws {
    guard let reader = reader.withLock({ $0 }) else { return }
    let plan = try await reader.plan(of: .s3, covering: object.range.lowerBound)
    world.confirm(number) { $0.upload(object, plan) }
  }

  // MARK: Calls

  /// Makes a call to a place, with what chance has in store for it.
  ///
  /// - Parameters:
  ///   - act: does it, and returns `nil` if the process has ended by then.
  ///   - late: what may still arrive then.
  func call<T: Sendable>(
    _ name: String, late: ModelWorld.Late? = nil, _ act: @Sendable (FaultDice.Fault) throws -> T?
  ) async throws -> T {
    // What has ended sends nothing any more.
    guard isAlive else {
      try await untilCancelled()
      throw CancellationError()
    }
    let (count, attempt) = counts.withLock { counts in
      counts.calls += 1
      counts.attempts[name, default: 0] += 1
      return (counts.calls, counts.attempts[name, default: 0])
    }
    if dice.happens("late \(name) \(attempt)", oneIn: 4) { world.arrive() }
    let roll = dice.roll(name, attempt: attempt)
    for _ in 0..<roll.delays.0 { await Task.yield() }
    if dice.happens("look \(name) \(attempt)", oneIn: 4) { try await glance() }
    if case .call(count, isAfter: false) = moment { endAtCall() }
    switch roll.fault {
    case .refused: throw AWSError.answer(503, .transient)
    case .throttled: throw AWSError.answer(400, .throttled, "SlowDown")
    case .conflict: throw AWSError.answer(409, .transient, "ConditionalRequestConflict")
    case .none, .answerLost, .falsePrecondition, .taken: break
    }
    let result = try act(roll.fault)
    if case .call(count, isAfter: true) = moment { endAtCall() }
    for _ in 0..<roll.delays.1 { await Task.yield() }
    guard let result, isAlive else {
      if result == nil, let late, dice.happens("lost \(name)", oneIn: 2) { world.arrivesLater(late) }
      try await untilCancelled()
      throw CancellationError()
    }
    if roll.fault == .answerLost { throw AWSError(.transport, .transient, operation: "x", message: "lost") }
    return result
  }
}
