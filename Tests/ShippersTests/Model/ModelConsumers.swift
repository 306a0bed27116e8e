import Base
import Logging
import ShippingFixtures
import TestSupport

@testable import Shippers
@testable import WAL

/// The consumers of one process, each of which can be stopped and started.
final class ModelConsumers {
  private struct Running {
    let control: ShippingControl
    let ended: Latch<Void>
  }

  let shipping: Shipping
  let logger = Logger(label: "walk") { _ in SwiftLogNoOpLogHandler() }
  private let process: ModelProcess
  private let log: TickLog
  private let clock: TestClock
  private var running: [ConsumerName: Running] = [:]

  init(process: ModelProcess, log: TickLog, clock: TestClock, plan: ModelLife) {
    self.process = process
    self.log = log
    self.clock = clock
    shipping = Shipping([
      ObjectDestination(
        .s3, plan.objects, S3Address(endpoint: "http://s3", bucket: "bucket", prefix: "p"),
        store: ModelStore(process: process), openStore: { _ in nil }),
      ItemDestination(
        .dynamodb, plan.items, TableAddress(region: "r", table: "t"),
        table: ModelTable(process: process, writeMode: plan.items.writeMode)),
    ])
  }

  /// Those that run, in order.
  var names: [ConsumerName] { running.keys.sorted { $0.rawValue < $1.rawValue } }

  func start(_ consumer: Consumer, _ group: inout ThrowingTaskGroup<Void, any Error>) {
    let started = Running(control: ShippingControl(), ended: Latch())
    running[consumer.name] = started
    let progress = ShippingProgress(consumer: consumer.name, next: consumer.next)
    group.addTask { [shipping, log, clock, logger, process] in
      do {
        try await shipping.run(
          consumer, log: log, control: started.control, progress: progress, clock: clock.shipping,
          logger: logger)
      } catch is CancellationError {
      } catch {
        process.world.confirm(process.number) { $0.contradict("\(consumer.name) has ended: \(error)") }
      }
      started.ended.set(())
    }
  }

  /// Returns when it has stopped, or the process has ended.
  func stop(_ name: ConsumerName) async throws {
    guard let stopped = running.removeValue(forKey: name) else { return }
    stopped.control.startStopping()
    try await wait([stopped])
  }

  /// Returns when all have stopped, or the process has ended.
  func finish(isDraining: Bool) async throws {
    for started in running.values {
      if isDraining { started.control.startDraining() } else { started.control.startStopping() }
    }
    try await wait(Array(running.values))
  }

  private func wait(_ started: [Running]) async throws {
    try await untilFirstEnds([
      { for each in started { try await each.ended.wait() } },
      { [process] in _ = try await process.end.wait() },
    ])
  }
}
