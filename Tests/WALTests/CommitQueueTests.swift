import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct CommitQueueTests {
  private typealias Queue = CommitQueue<Int>

  private func queue(_ requests: [(ticks: Int, bytes: Int)], at: Duration = .zero) -> Queue {
    var queue = Queue(limits: Queue.Limits())
    for (index, request) in requests.enumerated() {
      queue.add(index, ticks: request.ticks, bytes: request.bytes, now: at)
    }
    return queue
  }

  @Test func `the limits are the contract's`() {
    let limits = Queue.Limits()
    #expect(limits.maximumTicks == 1_000)
    #expect(limits.maximumBytes == 1_048_576)
    #expect(limits.capacity == 16_777_216)
    #expect(limits.linger == .milliseconds(5))
  }

  @Test func `what may pass is taken alone`() {
    var queue = queue([(500, 10), (600, 10)])
    queue.add(2, ticks: 0, bytes: 0, mayPass: true, now: .zero)
    queue.add(3, ticks: 1, bytes: 1, now: .zero)
    queue.add(4, ticks: 0, bytes: 0, mayPass: true, now: .zero)
    #expect(queue.hasPassing)
    #expect(queue.takeGroup() == [0, 1])
    queue.putBack()
    #expect((queue.ticks, queue.bytes) == (1_101, 21))
    #expect(queue.takePassing() == [2, 4])
    #expect(!queue.hasPassing)
    queue.putBack()
    #expect(queue.hasPassing)
    #expect(queue.takePassing() == [2, 4])
    #expect(queue.takePassing() == [])
    #expect(queue.takeGroup() == [0, 1])
    #expect(queue.takeGroup() == [3])
    #expect((queue.ticks, queue.bytes) == (0, 0))
    #expect(queue.isEmpty)
  }

  @Test func `what is put back comes first again`() {
    var queue = queue((0..<50).map { _ in (ticks: 100, bytes: 1) })
    #expect(queue.takeGroup() == Array(0..<10))
    #expect(queue.takeGroup() == Array(10..<20))
    queue.add(50, ticks: 1, bytes: 1, now: .zero)
    queue.putBack()
    #expect(queue.takeGroup() == Array(10..<20))
    #expect(queue.takeAll() == Array(20...50))
    #expect((queue.ticks, queue.bytes) == (0, 0))
  }

  @Test func `an empty queue is idle`() {
    #expect(queue([]).decide(now: .seconds(9)) == .idle)
    var emptied = queue([(1, 1)])
    _ = emptied.takeGroup()
    #expect(emptied.decide(now: .seconds(9)) == .idle)
  }

  @Test(arguments: [
    ([(999, 0)], false), ([(1_000, 0)], true), ([(999, 0), (1, 0)], true), ([(1, 1_048_575)], false),
    ([(1, 1_048_576)], true), ([(1, 1_048_575), (1, 1)], true), ([(0, 0)], false),
  ])
  func `a full group is committed at once`(_ requests: [(ticks: Int, bytes: Int)], _ isFull: Bool) {
    #expect(
      queue(requests).decide(now: .milliseconds(1)) == (isFull ? .commitNow : .commitAfter(.milliseconds(4))))
  }

  @Test func `the oldest request decides how long to wait`() {
    var queue = queue([(1, 1)], at: .seconds(1))
    queue.add(1, ticks: 1, bytes: 1, now: .seconds(1) + .milliseconds(4))
    #expect(queue.decide(now: .seconds(1) + .milliseconds(4)) == .commitAfter(.milliseconds(1)))
    #expect(queue.decide(now: .seconds(1) + .milliseconds(5)) == .commitNow)
    #expect(queue.decide(now: .seconds(100)) == .commitNow)
  }

  @Test func `a patient request waits longer, and shares the commit of the next one`() {
    var queue = Queue(limits: Queue.Limits())
    queue.add(0, ticks: 0, bytes: 0, urgency: .patient, now: .zero)
    queue.add(1, ticks: 0, bytes: 0, urgency: .patient, now: .milliseconds(50))
    #expect(queue.decide(now: .milliseconds(60)) == .commitAfter(.milliseconds(140)))
    queue.add(2, ticks: 1, bytes: 1, now: .milliseconds(60))
    #expect(queue.decide(now: .milliseconds(60)) == .commitAfter(.milliseconds(5)))
    queue.add(3, ticks: 0, bytes: 0, urgency: .patient, now: .milliseconds(61))
    #expect(queue.decide(now: .milliseconds(65)) == .commitNow)
    #expect(queue.takeGroup() == [0, 1, 2, 3])
    #expect(queue.decide(now: .milliseconds(65)) == .idle)
  }

  @Test func `a patient request is not passed over, whatever comes behind it`() {
    var queue = Queue(limits: Queue.Limits())
    queue.add(0, ticks: 0, bytes: 0, urgency: .patient, now: .zero)
    queue.add(1, ticks: 1, bytes: 1, now: .milliseconds(198))
    #expect(queue.decide(now: .milliseconds(199)) == .commitAfter(.milliseconds(1)))
    #expect(queue.decide(now: .milliseconds(200)) == .commitNow)
  }

  @Test func `patient requests can be hurried, and later ones have their time`() {
    var queue = Queue(limits: Queue.Limits())
    queue.hurry()
    #expect(queue.decide(now: .zero) == .idle)
    queue.add(0, ticks: 0, bytes: 0, urgency: .patient, now: .zero)
    #expect(queue.decide(now: .zero) == .commitAfter(.milliseconds(200)))
    queue.hurry()
    #expect(queue.decide(now: .zero) == .commitNow)
    #expect(queue.takeGroup() == [0])
    queue.add(1, ticks: 0, bytes: 0, urgency: .patient, now: .seconds(1))
    #expect(queue.decide(now: .seconds(1)) == .commitAfter(.milliseconds(200)))
    #expect(queue.takeAll() == [1])
    queue.add(2, ticks: 0, bytes: 0, urgency: .patient, now: .seconds(2))
    #expect(queue.decide(now: .seconds(2)) == .commitAfter(.milliseconds(200)))
  }

  @Test func `for an urgent request nothing is waited for, and later ones have their time`() {
    var queue = Queue(limits: Queue.Limits())
    queue.add(0, ticks: 0, bytes: 0, urgency: .patient, now: .zero)
    queue.add(1, ticks: 1, bytes: 1, now: .zero)
    #expect(queue.decide(now: .zero) == .commitAfter(.milliseconds(5)))
    queue.add(2, ticks: 0, bytes: 0, urgency: .urgent, now: .zero)
    #expect(queue.decide(now: .zero) == .commitNow)
    #expect(queue.takeGroup() == [0, 1, 2])
    queue.add(3, ticks: 1, bytes: 1, now: .zero)
    #expect(queue.decide(now: .zero) == .commitAfter(.milliseconds(5)))
    // Put back, it is as urgent as before.
    queue.add(4, ticks: 0, bytes: 0, urgency: .urgent, now: .zero)
    #expect(queue.takeGroup() == [3, 4])
    queue.putBack()
    #expect(queue.decide(now: .zero) == .commitNow)
  }

  @Test func `without linger a request is committed at once`() {
    var limits = Queue.Limits()
    limits.linger = .zero
    var queue = Queue(limits: limits)
    queue.add(0, ticks: 1, bytes: 1, now: .seconds(3))
    #expect(queue.decide(now: .seconds(3)) == .commitNow)
  }

  @Test func `a group ends with the request that reaches a limit`() {
    var byTicks = queue([(999, 1), (999, 1), (1, 1)])
    #expect(byTicks.takeGroup() == [0, 1])
    #expect(byTicks.takeGroup() == [2])
    var byBytes = queue([(1, 1_000_000), (1, 48_576), (1, 1)])
    #expect(byBytes.takeGroup() == [0, 1])
    #expect(byBytes.takeGroup() == [2])
    #expect(byBytes.takeGroup() == [])
  }

  @Test func `what has queued up goes along with a group that is due, up to its own limit`() {
    var limits = Queue.Limits()
    limits.groupTicks = 2_500
    var queue = Queue(limits: limits)
    for id in 0..<40 { queue.add(id, ticks: 100, bytes: 1, now: .zero) }
    #expect(queue.takeGroup() == Array(0..<25))
    #expect(queue.takeGroup() == Array(25..<40))
    queue.add(40, ticks: 999, bytes: 1, now: .zero)
    #expect(queue.decide(now: .zero) == .commitAfter(.milliseconds(5)))
    queue.add(41, ticks: 1, bytes: 1, now: .zero)
    #expect(queue.decide(now: .zero) == .commitNow)
    limits.groupTicks = 1
    queue = Queue(limits: limits)
    for id in 0..<3 { queue.add(id, ticks: 999, bytes: 1, now: .zero) }
    #expect(queue.takeGroup() == [0, 1], "not less than what makes a group due")
  }

  @Test func `one larger request is admitted into an empty queue alone`() {
    var queue = Queue(limits: Queue.Limits())
    #expect(queue.admits(bytes: 40 << 20))
    queue.add(0, ticks: 1, bytes: 1, now: .zero)
    #expect(!queue.admits(bytes: 16 << 20))
    #expect(queue.admits(bytes: 16 << 20 - 1))
    _ = queue.takeGroup()
    queue.add(1, ticks: 1, bytes: 40 << 20, now: .zero)
    #expect(!queue.admits(bytes: 1))
    #expect(!queue.isHalfEmpty)
    _ = queue.takeGroup()
    #expect(queue.admits(bytes: 1))
    #expect(queue.isHalfEmpty)
  }

  @Test func `taking all leaves nothing`() {
    var queue = queue([(999, 1), (999, 1), (1, 1)])
    _ = queue.takeGroup()
    #expect(queue.takeAll() == [2])
    #expect(queue.isEmpty)
    #expect(queue.ticks == 0)
    #expect(queue.bytes == 0)
    queue.add(7, ticks: 1, bytes: 1, now: .zero)
    #expect(queue.takeGroup() == [7])
  }

  @Test(arguments: [0, 50]) func `a random walk agrees with a naive model`(groupTicks: Int) {
    var generator = SplitMix64.forTest()
    var limits = Queue.Limits()
    limits.groupTicks = groupTicks
    limits.maximumTicks = 20
    limits.maximumBytes = 100
    limits.capacity = 400
    var queue = Queue(limits: limits)
    var model: [(id: Int, ticks: Int, bytes: Int, since: Duration)] = []
    var now = Duration.zero
    for id in 0..<20_000 {
      now += .microseconds(Int.random(in: 0...2_000, using: &generator))
      let bytes = model.reduce(0) { $0 + $1.bytes }
      let count = model.reduce(0) { $0 + $1.ticks }
      #expect(queue.isEmpty == model.isEmpty)
      #expect(queue.bytes == bytes && queue.ticks == count)
      #expect(queue.isHalfEmpty == (bytes <= 200))
      let more =
        Int.random(in: 0...150, using: &generator) * (Int.random(in: 0..<50, using: &generator) == 0 ? 5 : 1)
      #expect(queue.admits(bytes: more) == (bytes == 0 || bytes + more <= 400))
      switch queue.decide(now: now) {
      case .idle: #expect(model.isEmpty)
      case .commitNow: #expect(count >= 20 || bytes >= 100 || now - model[0].since >= .milliseconds(5))
      case .commitAfter(let delay):
        #expect(count < 20 && bytes < 100)
        #expect(model[0].since + .milliseconds(5) == now + delay)
      }
      if Bool.random(using: &generator), queue.admits(bytes: more) {
        let ticks = Int.random(in: 0...8, using: &generator)
        queue.add(id, ticks: ticks, bytes: more, now: now)
        model.append((id, ticks, more, now))
      } else if Int.random(in: 0..<3, using: &generator) == 0 {
        var group: [Int] = []
        var (ticks, bytes) = (0, 0)
        while let next = model.first, ticks < max(20, groupTicks), bytes < 100 {
          group.append(next.id)
          ticks += next.ticks
          bytes += next.bytes
          model.removeFirst()
        }
        #expect(queue.takeGroup() == group)
      } else if Int.random(in: 0..<500, using: &generator) == 0 {
        #expect(queue.takeAll() == model.map(\.id))
        model = []
      }
    }
  }
}
