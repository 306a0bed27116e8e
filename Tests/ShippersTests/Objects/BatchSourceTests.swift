import Base
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// What is cut where, as the log and the clocks move. Timeouts are moved by hand.
@Suite struct BatchSourceTests {
  private func source(
    _ rig: ShippingRig, _ reader: LogReader, _ settings: ObjectSettings = .test(),
    _ control: ShippingControl = ShippingControl(), next: Offset = .first
  ) -> BatchSource {
    BatchSource(
      reader: reader, consumer: .s3, settings: settings,
      tail: Tail(log: rig.log, control: control, clock: rig.clock.shipping), next: next)
  }

  /// The range of the next batch.
  private func range(_ source: BatchSource) async throws -> OffsetRange? {
    try await source.next().first?.range
  }

  private func expect(
    _ source: BatchSource, cuts expected: OffsetRange?, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let range = try await range(source)
    #expect(range == expected, sourceLocation: sourceLocation)
  }

  /// The range of the next batch, which must come once the test has done its part while the source waits.
  private func next(
    _ source: BatchSource, afterWaitingFor clock: TestClock,
    _ act: @escaping @Sendable () async throws -> Void
  ) async throws -> OffsetRange? {
    async let cut = range(source)
    try await expectEventually { !clock.waiting.isEmpty }
    try await act()
    return try await cut
  }

  @Test func `a full batch is cut at once and a backlog is not cut by time`() async throws {
    try await ShippingRig.with { rig in
      // Received long ago: age does not cut what lies before the head.
      try await rig.log.append(ticks(25, receivedAt: someTime - 86_400_000_000))
      try await rig.withReader { reader in
        let source = source(rig, reader)
        try await expect(source, cuts: offsets(1...10))
        try await expect(source, cuts: offsets(11...20))
        // At the head it has waited long enough.
        try await expect(source, cuts: offsets(21...25))
        #expect(rig.clock.sleeps.isEmpty)
      }
    }
  }

  @Test func `at the head a batch waits for what is left of its timeout`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3, receivedAt: someTime - 5_000_000 - 1_000))
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader), afterWaitingFor: rig.clock) {
          #expect(rig.clock.waiting == [.seconds(25)])
          rig.clock.advance(by: .seconds(25))
        }
        #expect(cut == offsets(1...3))
      }
    }
  }

  @Test func `later rows do not move the deadline of the first`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1, receivedAt: someTime - 1_000))
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader), afterWaitingFor: rig.clock) {
          rig.clock.advance(by: .seconds(8))
          try await rig.log.append(ticks(1, from: 2))
          rig.clock.advance(by: .seconds(22))
        }
        #expect(cut == offsets(1...2))
        // Nor are they looked at before it: at the head of the log that would be a page for each commit.
        #expect(rig.clock.sleeps == [.seconds(30)])
      }
    }
  }

  @Test(arguments: [-86_400_000_000, 86_400_000_000] as [Int64])
  func `a wall clock set in the meantime neither holds nor hurries`(step: Int64) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1, receivedAt: someTime - 1_000))
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader), afterWaitingFor: rig.clock) {
          rig.clock.setWall(someTime + step)
          try await rig.log.append(ticks(1, from: 2))
          rig.clock.advance(by: .seconds(30))
        }
        #expect(cut == offsets(1...2))
      }
    }
  }

  @Test func `rows from an hour ahead wait no longer than the timeout`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1, receivedAt: someTime + 3_600_000_000))
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader), afterWaitingFor: rig.clock) {
          #expect(rig.clock.waiting == [.seconds(30)])
          rig.clock.advance(by: .seconds(30))
        }
        #expect(cut == offsets(1...1))
      }
    }
  }

  @Test func `the hour of receipt cuts within a backlog`() async throws {
    let hour: Int64 = 3_600_000_000
    let start = someTime / hour * hour
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3, receivedAt: start - 5_000))
      try await rig.log.append(ticks(3, from: 4, receivedAt: start))
      try await rig.withReader { reader in
        let source = source(rig, reader, .test(), next: .first)
        try await expect(source, cuts: offsets(1...3))
      }
    }
  }

  @Test func `bytes cut across pages`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(8, padding: 400_000))
      try await rig.withReader { reader in
        let source = source(rig, reader, .test(maximumBytes: 1_300_000))
        try await expect(source, cuts: offsets(1...3))
        try await expect(source, cuts: offsets(4...6))
      }
    }
  }

  @Test func `draining cuts a short batch and ends`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(12))
      let control = ShippingControl()
      control.startDraining()
      try await rig.withReader { reader in
        let source = source(rig, reader, .test(), control)
        try await expect(source, cuts: offsets(1...10))
        try await expect(source, cuts: offsets(11...12))
        try await expect(source, cuts: nil)
      }
    }
  }

  @Test func `draining wakes a batch that waits`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(2))
      let control = ShippingControl()
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader, .test(), control), afterWaitingFor: rig.clock) {
          control.startDraining()
        }
        #expect(cut == offsets(1...2))
      }
    }
  }

  @Test func `stopping drops a batch that waits`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(2))
      let control = ShippingControl()
      try await rig.withReader { reader in
        let cut = try await next(source(rig, reader, .test(), control), afterWaitingFor: rig.clock) {
          control.startStopping()
        }
        #expect(cut == nil)
      }
    }
  }

  @Test func `frozen plans keep their ranges and limit the cuts between them`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(40))
      try await rig.log.write { transaction in
        // As another MAX_BATCH_SIZE has left them.
        try transaction.plan(Self.plan(1...3))
        try transaction.plan(Self.plan(6...25))
      }
      let control = ShippingControl()
      control.startDraining()
      try await rig.withReader { reader in
        let source = source(rig, reader, .test(), control)
        var ranges: [OffsetRange] = []
        while let prepared = try await source.next().first {
          ranges.append(prepared.range)
          if case .planned(let plan, let batch) = prepared.delivery {
            #expect(plan.range == prepared.range)
            #expect(numbers(inRows: batch.body) == Array(prepared.range.numbers))
          }
        }
        #expect(ranges == [1...3, 4...5, 6...25, 26...35, 36...40].map { offsets($0) })
      }
    }
  }

  @Test func `a frozen plan is built as its key says whatever the settings`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3))
      try await rig.withReader { reader in
        let plain = try await BuiltBatch.rebuild(
          Self.plan(1...3), from: reader, settings: .test(compression: .gzip(level: 6)))
        #expect(numbers(inRows: plain.body) == [1, 2, 3])
        let packed = try await BuiltBatch.rebuild(
          Self.plan(1...3, key: "k.jsonl.gz"), from: reader, settings: .test(compression: .none))
        #expect(packed.isCompressed)
        #expect(try await gunzip(packed.body) == plain.body)
      }
    }
  }

  static func plan(_ range: ClosedRange<Int64>, key: String = "k.jsonl") -> BatchPlan {
    BatchPlan(
      consumer: .s3, range: offsets(range), destination: "{}", bucket: "bucket", key: key, rows: range.count,
      sha256: "0")
  }
}

extension OffsetRange {
  var numbers: ClosedRange<Int64> { lowerBound.rawValue...upperBound.rawValue }
}
