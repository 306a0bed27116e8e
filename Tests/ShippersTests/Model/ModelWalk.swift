import Base
import Inspect
import Logging
import ShippingFixtures
import Synchronization
import TestSupport

@testable import Shippers
@testable import WAL

/// A walk over what befalls a log and its consumers, through several processes on one disk.
final class ModelWalk: Sendable {
  let world = ModelWorld()
  private let seed: UInt64
  private let clock = TestClock()
  /// Microseconds, by which ticks grow old.
  private let uptime = Mutex<Int64>(1_000_000_000)

  private static let retention = Duration.seconds(3_600)

  init(seed: UInt64) { self.seed = seed }

  /// - Returns: which promises were broken, and what has happened.
  func run() async throws -> (broken: [String], happened: Set<ModelWorld.Event>) {
    var random = SplitMix64(seed: seed)
    var files: [String: DiskModel.LeftFile] = [:]
    let processes = Int.random(in: 2...4, using: &random)
    for number in 0...processes where world.model.contradictions.isEmpty {
      let isLast = number == processes
      let plan = ModelLife(isFirst: number == 0, isLast: isLast, using: &random)
      files = try await withSimulatedDisk(files: files) { disk in
        let process = ModelProcess(
          world: world, dice: FaultDice(seed: seed &+ UInt64(number)), disk: disk, moment: plan.end,
          loss: plan.loss)
        let log = try await open(disk)
        do {
          try await live(process, log, plan)
        } catch {
          try await log.close()
          throw error
        }
        try await log.close()
        process.die()
        return try await process.end.wait()
      }
    }
    return (world.model.contradictions, world.events)
  }

  private func open(_ disk: SimulatedDisk) async throws -> TickLog {
    var options = TickLog.Options()
    options.linger = .zero
    options.wallClock = { [clock] in clock.wall }
    options.uptime = { [self] in Uptime(boot: "first", microseconds: uptime.withLock { $0 }) }
    options.checkpoints = CheckpointSchedule(passiveFrames: 40)
    options.trimStep = 7
    options.vacuum = VacuumSchedule(portion: 3, negligible: 5)
    return try await TickLog.open(
      path: disk.folder + "/ticks.db", options: options,
      logger: Logger(label: "walk") { _ in SwiftLogNoOpLogHandler() })
  }

  private func live(_ process: ModelProcess, _ log: TickLog, _ plan: ModelLife) async throws {
    let reader = try await log.makeReader()
    process.look(through: reader)
    do {
      try await start(process, log, reader, plan)
    } catch {
      process.look(through: nil)
      try await reader.close()
      throw error
    }
    process.look(through: nil)
    try await reader.close()
  }

  private func start(
    _ process: ModelProcess, _ log: TickLog, _ reader: LogReader, _ plan: ModelLife
  ) async throws {
    let snapshot = try await reader.snapshot()
    world.confirm(process.number) { $0.restart(snapshot) }
    let problems = try await LogVerification.of(
      path: log.path,
      consumers: [
        S3Settings.consumers.remote, DynamoSettings.consumers.remote,
      ]
    ).problems
    world.confirm(process.number) { model in
      for problem in problems.first { model.contradict("verify: \(problem.text)") }
    }
    world.ask(process.number) { $0.ask(enable: plan.consumers, concurrency: plan.objects.concurrency) }
    let consumers = ModelConsumers(process: process, log: log, clock: clock, plan: plan)
    let enabled = try await log.enable(
      consumers.shipping.consumers.filter { plan.consumers.contains($0.name) }, acceptDestinations: false,
      logger: consumers.logger)
    world.confirm(process.number) { $0.confirmEnabled() }
    if plan.consumers.count < 2 { world.note(.paused) }
    try await process.see()
    log.startUpkeep(retention: Self.retention, disk: .off)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for consumer in enabled { consumers.start(consumer, &group) }
      var random = SplitMix64(seed: plan.seed)
      for _ in 0..<plan.steps where process.isAlive {
        try await step(process, log, reader, consumers, &group, &random)
      }
      try await end(process, log, reader, consumers, plan)
      group.cancelAll()
    }
  }

  // MARK: Steps

  private func step(
    _ process: ModelProcess, _ log: TickLog, _ reader: LogReader, _ consumers: ModelConsumers,
    _ group: inout ThrowingTaskGroup<Void, any Error>, _ random: inout SplitMix64
  ) async throws {
    switch Int.random(in: 0..<12, using: &random) {
    case 0...3: try await append(process, log, &random)
    case 4: clock.advance(by: .seconds(31))
    case 5: clock.advance(by: .seconds(61))
    case 6: try await trim(process, log)
    case 7, 8: try await seek(process, log, reader, consumers, &group, &random)
    case 9: try await process.see()
    // By chance as everything here: nothing waits for what others do meanwhile.
    default: for _ in 0..<Int.random(in: 1..<200, using: &random) { await Task.yield() }
    }
  }

  /// A burst of requests, some of which share a commit.
  private func append(_ process: ModelProcess, _ log: TickLog, _ random: inout SplitMix64) async throws {
    let last = Latch<Void>()
    var next = Int64(world.model.asked.count) + 1
    let requests = Int.random(in: 1...3, using: &random)
    for request in 1...requests {
      let numbers = next..<next + Int64.random(in: 1...12, using: &random)
      next = numbers.upperBound
      world.ask(process.number) { $0.ask(append: numbers.map { ModelTick($0).payload }) }
      let isTaken = try log.tryAppend(ModelTick.batch(numbers)) { [world] result in
        world.confirm(process.number) { model in
          switch result {
          case .success(let range?): model.confirm(appended: range)
          case .success(nil): model.contradict("\(numbers) got no offsets")
          case .failure(let error): model.contradict("\(numbers): \(error)")
          }
        }
        if request == requests { last.set(()) }
      }
      precondition(isTaken)
    }
    try await last.wait()
  }

  private func trim(_ process: ModelProcess, _ log: TickLog) async throws {
    world.ask(process.number) { $0.age() }
    for time in [RetentionRule(retention: Self.retention).markInterval, Self.retention] {
      uptime.withLock { $0 += time.microseconds }
      try await log.upkeepDone()
    }
    try await process.see()
  }

  /// Moves a consumer as the operator would who finds that something is missing outside.
  private func seek(
    _ process: ModelProcess, _ log: TickLog, _ reader: LogReader, _ consumers: ModelConsumers,
    _ group: inout ThrowingTaskGroup<Void, any Error>, _ random: inout SplitMix64
  ) async throws {
    guard let name = consumers.names.randomElement(using: &random) else { return }
    try await consumers.stop(name)
    guard process.isAlive else { return }
    try await process.alone {
      let before = try await reader.snapshot()
      let request = SeekRequest(
        consumer: name,
        offset: offset(Int64.random(in: max(1, before.trimmed)...before.head + 1, using: &random)),
        maySkip: Bool.random(using: &random))
      let expected = ModelSeek(request, before)
      do {
        let outcome = try await log.seek(request, dryRun: true)
        world.ask(process.number) { model in
          if expected.landing != outcome.to.rawValue { model.contradict("\(request) leads to \(outcome)") }
          model.ask(seek: name, from: outcome.from.rawValue, to: outcome.to.rawValue)
        }
        world.note(outcome.isForwards ? .seekForth : .seekBack)
        let undone = try await reader.snapshot()
        let isSame = try await log.seek(request) == outcome
        world.confirm(process.number) { [seed] model in
          if undone.consumers[name] != before.consumers[name] {
            model.contradict("\(request) moves when dry")
          }
          if !isSame { model.contradict("\(request) did not do what it said: \(outcome)") }
          model.confirm(seek: name, to: outcome.to.rawValue)
          let dice = FaultDice(seed: seed)
          if outcome.to < outcome.from {
            model.lose(outcome.to.rawValue...outcome.from.rawValue - 1, of: name) {
              dice.happens("lost \($0)", oneIn: 2)
            }
          }
        }
      } catch let error as SeekError {
        world.note(.seekRefused)
        // Upkeep may have trimmed meanwhile.
        let refusals = [expected.refusal, ModelSeek(request, try await reader.snapshot()).refusal]
        world.confirm(process.number) { model in
          if !refusals.contains(error.code) { model.contradict("\(request) was refused: \(error)") }
        }
      }
    }
    try await process.see()
    if let consumer = try await reader.consumers().first(where: { $0.name == name }) {
      consumers.start(consumer, &group)
    }
  }

  // MARK: The end

  private func end(
    _ process: ModelProcess, _ log: TickLog, _ reader: LogReader, _ consumers: ModelConsumers,
    _ plan: ModelLife
  ) async throws {
    // What waits for its time goes on now, until it is done or the process ends.
    clock.hurry()
    defer { clock.relax() }
    try await consumers.finish(isDraining: plan.isDraining)
    if plan.isLast {
      try await process.see()
      let snapshot = try await reader.snapshot()
      world.confirm(process.number) { $0.checkEnd(snapshot) }
      try await trim(process, log)
      let rest = try await reader.snapshot()
      world.confirm(process.number) { $0.checkTrimmed(rest) }
    } else if !plan.isOrderly {
      process.die()
    }
  }
}

/// What a seek is to do.
struct ModelSeek {
  var landing: Int64
  var refusal: SeekError.Code?

  init(_ request: SeekRequest, _ log: LogSnapshot) {
    let plan = request.consumer == .s3 ? log.plan(holding: request.offset.rawValue) : nil
    landing = plan?.range.lowerBound ?? request.offset.rawValue
    if request.offset.rawValue <= log.trimmed {
      refusal = .outOfBounds
    } else if landing <= log.trimmed, plan?.isShipped == true {
      refusal = .trimmedBatch
    } else if !request.maySkip, landing > log.consumers[request.consumer]?.next ?? 1 {
      refusal = .needsSkip
    }
  }
}
