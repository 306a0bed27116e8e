import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// What goes out together, where ticks come one by one.
@Suite struct PageSourceTests {
  private static let never = Duration.seconds(86_400)

  private func source(
    _ rig: ShippingRig, _ reader: LogReader, _ control: ShippingControl = ShippingControl(), pace: Duration
  ) -> PageSource {
    PageSource(
      reader: reader, tail: Tail(log: rig.log, control: control, clock: rig.clock.shipping), next: .first,
      pageTicks: 5, pace: pace)
  }

  /// The range of the page that comes once the test has done its part while the source waits.
  private func page(
    of source: PageSource, whenDone act: (_ isThere: () -> Bool) async throws -> Void
  ) async throws -> OffsetRange? {
    let range = Mutex<OffsetRange?>(nil)
    let isOver = Latch<Void>()
    async let done: Void = {
      let page = try await source.next()
      range.withLock { $0 = page.first?.range }
      isOver.set(())
    }()
    try await act { isOver.value != nil }
    try await done
    return range.withLock { $0 }
  }

  @Test func `the first tick waits for none, those after it for a full page`() async throws {
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let source = source(rig, reader, pace: Self.never)
        let first = try await page(of: source) { _ in try await rig.log.append(ticks(1)) }
        #expect(first == offsets(1...1))
        let second = try await page(of: source) { isThere in
          for _ in 2...5 {
            try await rig.log.append(ticks(1))
            #expect(!isThere())
          }
          try await rig.log.append(ticks(1))
        }
        #expect(second == offsets(2...6))
        // A backlog does not wait either.
        try await rig.log.append(ticks(12))
        #expect(try await source.next().first?.range == offsets(7...11))
        #expect(try await source.next().first?.range == offsets(12...16))
      }
    }
  }

  @Test func `a page that is not full comes when its time has come, without another tick`() async throws {
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let source = source(rig, reader, pace: .milliseconds(20))
        for number in 1...3 {
          try await rig.log.append(ticks(1))
          #expect(try await source.next().first?.range == offsets(Int64(number)...Int64(number)))
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `the end waits for no full page`(isStop: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let control = ShippingControl()
        let source = source(rig, reader, control, pace: Self.never)
        try await rig.log.append(ticks(1))
        #expect(try await source.next().first?.range == offsets(1...1))
        let last = try await page(of: source) { isThere in
          try await rig.log.append(ticks(2))
          #expect(!isThere())
          if isStop { control.startStopping() } else { control.startDraining() }
        }
        #expect(last == (isStop ? nil : offsets(2...3)))
        #expect(try await source.next().isEmpty)
      }
    }
  }

  @Test func `whoever waits for a page can be called off`() async throws {
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let source = source(rig, reader, pace: Self.never)
        try await rig.log.append(ticks(1))
        #expect(try await source.next().first?.range == offsets(1...1))
        try await rig.log.append(ticks(1))
        let waiting = Task { try await source.next() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
      }
    }
  }
}
