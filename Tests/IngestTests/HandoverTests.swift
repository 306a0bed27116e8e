import NIOCore
import NIOEmbedded
import Testing
import WAL

@testable import Ingest

@Suite struct HandoverTests {
  private final class Seen {
    var room = 0
    var failures = 0
    var drained = 0
  }

  private let log = HandLog()
  private let loop = EmbeddedEventLoop()
  private let seen = Seen()
  private let handover: Handover

  init() {
    handover = Handover(
      log: log, loop: loop.assumeIsolated(), roomAgain: { [seen] in seen.room += 1 },
      failed: { [seen] _ in seen.failures += 1 })
  }

  private func intake(_ count: Int) -> Intake {
    var intake = Intake()
    for _ in 0..<count { intake.ticks.append(receivedAt: 1, eventTime: nil, stream: "s", payload: "{}") }
    intake.messages = count
    return intake
  }

  @Test func `with room everything goes to the log at once`() {
    handover.submit(intake(1))
    handover.submit(intake(2), gaps: [.close(endedAt: 1, OpenGaps())])
    #expect(log.taken == ["1", "2 close"])
    #expect(!handover.isFull)
  }

  @Test func `what a full log does not take waits, and the order stays`() {
    log.state.withLock { $0.hasRoom = false }
    handover.submit(intake(1))
    #expect(handover.isFull)
    handover.submit(intake(2))
    handover.submit(
      Intake(), gaps: [.open(startedAt: 1, cause: .queueFull, streams: [], OpenGaps())])
    #expect(log.taken.isEmpty)
    log.makeRoom()
    loop.run()
    #expect(log.taken == ["1", "2", "0 open queue_full"])
    #expect(!handover.isFull)
    #expect(seen.room == 1)
  }

  @Test func `a log that has room and yet refuses is asked again after a pause, not in a circle`() {
    log.state.withLock { $0.hasRoom = false }
    handover.submit(intake(1))
    let callbacks = log.state.withLock { $0.roomCallbacks }
    for callback in callbacks { callback() }
    loop.run()
    let asked = log.state.withLock { $0.asked }
    loop.run()
    #expect(log.state.withLock { $0.asked } == asked)
    log.state.withLock { $0.hasRoom = true }
    loop.advanceTime(by: .milliseconds(20))
    #expect(log.taken == ["1"])
    #expect(seen.room == 1)
  }

  @Test func `drained means that everything is confirmed`() {
    log.state.withLock { $0.hasRoom = false }
    handover.submit(intake(1))
    handover.whenDrained { [seen] in seen.drained += 1 }
    loop.run()
    #expect(seen.drained == 0)
    log.makeRoom()
    loop.run()
    #expect(seen.drained == 0)
    log.confirm()
    loop.run()
    #expect(seen.drained == 1)
  }

  @Test func `drained comes at once when there is nothing to wait for`() {
    handover.whenDrained { [seen] in seen.drained += 1 }
    loop.run()
    #expect(seen.drained == 1)
  }

  @Test func `a log that has ended is reported once`() {
    log.state.withLock { $0.isClosed = true }
    handover.submit(intake(1))
    handover.submit(intake(1))
    loop.run()
    #expect(seen.failures == 1)
  }

  @Test func `a commit that failed is reported`() {
    handover.submit(intake(1))
    handover.submit(intake(1))
    log.confirm(.failure(HandLog.Refused()))
    loop.run()
    #expect(seen.failures == 1)
  }
}
