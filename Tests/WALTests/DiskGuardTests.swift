import LogFixtures
import TestSupport
import Testing

@testable import WAL

private let mebi = 1 << 20

@Suite struct DiskGuardTests {
  /// 1,000 MiB, of which 150 are low and 50 too little; a ballast of 10.
  private let limits = DiskLimits(low: .percent(15), stop: .percent(5), ballast: 64 * mebi)

  private func reading(_ available: Int, free: Int = 0, ballast: Bool = true) -> DiskGuard.Reading {
    DiskGuard.Reading(
      available: available * mebi, free: free * mebi, volume: 1_000 * mebi, hasBallast: ballast)
  }

  @Test func `limits are shares of the volume or bytes`() {
    #expect(DiskLimits.Amount.percent(15).bytes(of: 1_000) == 150)
    #expect(DiskLimits.Amount.bytes(77).bytes(of: 1_000) == 77)
    #expect(limits.ballast(of: 100_000 * mebi) == 64 * mebi)
    // Whole pages, and a hundredth at most.
    #expect(limits.ballast(of: 10_000_000) == 98_304)
    #expect(limits.ballast(of: 100) == 0)
    #expect(DiskLimits.off.ballast(of: 1 << 40) == 0)
  }

  typealias Step = (available: Int, free: Int, level: DiskGuard.Level)

  static let walks: [[Step]] = [
    // Down and up: each level is left with some room to spare, and a pause when that has lasted a second.
    [
      (500, 0, .normal), (150, 0, .normal), (149, 0, .low), (160, 0, .low), (164, 0, .low), (165, 0, .normal),
      (149, 0, .low), (50, 0, .low), (49, 0, .stop), (61, 0, .stop), (63, 0, .stop), (63, 0, .low),
      (164, 0, .low), (400, 0, .normal),
    ],
    // Free pages of the log are space.
    [(0, 200, .normal), (0, 100, .low), (0, 49, .stop), (0, 150, .stop), (0, 150, .low), (0, 165, .normal)],
    // From anywhere to anywhere.
    [(500, 0, .normal), (0, 0, .stop), (500, 0, .stop), (500, 0, .normal)],
    // A second pause soon after the first needs room for two seconds, a third for four.
    [
      (0, 0, .stop), (70, 0, .stop), (70, 0, .low), (0, 0, .stop), (70, 0, .stop), (70, 0, .stop),
      (70, 0, .low),
      (0, 0, .stop), (70, 0, .stop), (70, 0, .stop), (0, 0, .stop), (70, 0, .stop), (70, 0, .stop),
      (70, 0, .stop), (70, 0, .stop), (70, 0, .low),
    ],
  ]

  @Test(arguments: walks) func `levels follow the space`(_ walk: [Step]) {
    var state = DiskGuard(limits: limits)
    for (number, step) in walk.enumerated() {
      _ = state.handle(reading(step.available, free: step.free), at: .seconds(number))
      #expect(state.level == step.level, "\(number): \(step)")
      #expect(state.mayAppend == (step.level < .stop))
      #expect(state.isShort == (step.level > .normal))
    }
  }

  @Test func `a change is said once and trouble again after a while`() {
    var state = DiskGuard(limits: limits)
    #expect(state.handle(reading(500), at: .zero) == [])
    #expect(state.handle(reading(100), at: .seconds(1)) == [.report(.low)])
    #expect(state.handle(reading(100), at: .seconds(3_600)) == [])
    #expect(state.handle(reading(100), at: .seconds(3_601)) == [.report(.low)])
    #expect(state.handle(reading(10), at: .seconds(3_602)) == [.report(.stop)])
    #expect(state.handle(reading(10), at: .seconds(4_201)) == [])
    #expect(state.handle(reading(10), at: .seconds(4_202)) == [.report(.stop)])
    #expect(state.handle(reading(500), at: .seconds(4_203)) == [])
    #expect(!state.mayAppend)
    #expect(state.handle(reading(500), at: .seconds(4_204)) == [])
    #expect(state.mayAppend)
    #expect(state.handle(reading(500), at: .seconds(4_208)) == [])
    #expect(state.handle(reading(500), at: .seconds(4_209)) == [.report(.normal)])
    #expect(state.handle(reading(500), at: .seconds(10_000)) == [])
  }

  /// Ticks come faster than room is made: each time that there is some, it is gone at once.
  @Test func `at its limit the volume lets ticks in ever more rarely, and says so once`() {
    var state = DiskGuard(limits: limits)
    var pauses = 0
    var said: [DiskGuard.Action] = []
    var available = 49
    for tenth in 0..<36_000 {
      let could = state.mayAppend
      available = could ? max(0, available - 10) : min(70, available + 10)
      said += state.handle(reading(available), at: .milliseconds(tenth * 100))
      if could, !state.mayAppend { pauses += 1 }
    }
    // In an hour: after 1, 2, 4, 8, 16, 32 seconds, and then each minute.
    #expect((50...70).contains(pauses))
    #expect(said == Array(repeating: .report(.stop), count: 6))
  }

  /// Ticks come, and early trimming makes room as fast.
  @Test func `a limit that is passed again and again is said once an hour`() {
    var state = DiskGuard(limits: limits)
    #expect(state.handle(reading(149), at: .zero) == [.report(.low)])
    #expect(state.handle(reading(165), at: .seconds(1)) == [.report(.normal)])
    for second in 1..<1_800 {
      #expect(state.handle(reading(149), at: .seconds(2 * second)) == [])
      #expect(state.level == .low)
      #expect(state.handle(reading(165), at: .seconds(2 * second + 1)) == [])
    }
    #expect(state.handle(reading(149), at: .seconds(3_600)) == [.report(.low)])
    #expect(state.handle(reading(165), at: .seconds(3_601)) == [.report(.normal)])
    // Once it lasts, it is said, and what is worse at once.
    #expect(state.handle(reading(149), at: .seconds(3_610)) == [])
    #expect(state.handle(reading(149), at: .seconds(3_669)) == [])
    #expect(state.handle(reading(149), at: .seconds(3_670)) == [.report(.low)])
    #expect(state.handle(reading(165), at: .seconds(3_671)) == [.report(.normal)])
    #expect(state.handle(reading(149), at: .seconds(3_672)) == [])
    #expect(state.handle(reading(49), at: .seconds(3_673)) == [.report(.stop)])
  }

  // MARK: Ballast

  @Test func `the ballast is made where there is room for it`() {
    var state = DiskGuard(limits: limits)
    let bytes = limits.ballast(of: 1_000 * mebi)
    #expect(bytes == 10 * mebi)
    #expect(state.handle(reading(500, ballast: false), at: .zero) == [.makeBallast(bytes: bytes)])
    #expect(state.handle(reading(490), at: .seconds(1)) == [])
    // Deleted by hand, or of another size.
    #expect(state.handle(reading(500, ballast: false), at: .seconds(2)) == [.makeBallast(bytes: bytes)])
    // Not where the feed is paused.
    #expect(state.handle(reading(59, ballast: false), at: .seconds(3)) == [.report(.stop)])
    #expect(state.handle(reading(72, ballast: false), at: .seconds(4)) == [])
    #expect(state.handle(reading(73, ballast: false), at: .seconds(5)) == [])
    #expect(state.handle(reading(73, ballast: false), at: .seconds(6)) == [.makeBallast(bytes: bytes)])
    // Free pages of the log do not help there.
    #expect(state.handle(reading(12, free: 100, ballast: false), at: .seconds(7)) == [])
  }

  @Test func `a write without room gives the ballast up and a pause begins`() {
    var state = DiskGuard(limits: limits)
    _ = state.handle(reading(60), at: .zero)
    #expect(state.level == .low)
    #expect(state.writeFailed(at: .seconds(1)) == [.report(.full), .releaseBallast])
    #expect(!state.mayAppend)
    // There is nothing left to give up.
    #expect(state.writeFailed(at: .seconds(2)) == [])
    // What the ballast gave is no room for ticks, and no end of the trouble.
    #expect(state.handle(reading(10, ballast: false), at: .seconds(3)) == [])
    #expect(!state.mayRetry)
    #expect(state.writeSucceeded(at: .seconds(4)) == [])
    #expect(state.level == .full)
    #expect(state.handle(reading(13, ballast: false), at: .seconds(5)) == [])
    #expect(!state.mayRetry)
    #expect(state.handle(reading(14, ballast: false), at: .seconds(6)) == [])
    #expect(state.mayRetry)
    #expect(state.level == .full)
    // It has been said that the feed is paused.
    #expect(state.writeSucceeded(at: .seconds(7)) == [])
    #expect(state.level == .stop)
    // With room again, it is made anew.
    #expect(state.handle(reading(500, ballast: false), at: .seconds(8)) == [])
    #expect(
      state.handle(reading(500, ballast: false), at: .seconds(9)) == [.makeBallast(bytes: 10 * mebi)])
    #expect(state.handle(reading(500), at: .seconds(14)) == [.report(.normal)])
  }

  @Test func `the ballast stays where something else has made room`() {
    var state = DiskGuard(limits: limits)
    _ = state.handle(reading(60), at: .zero)
    #expect(state.writeFailed(keepsBallast: true, at: .seconds(1)) == [.report(.full)])
    #expect(!state.mayAppend)
    #expect(state.writeFailed(at: .seconds(2)) == [.releaseBallast])
  }

  /// A quota, or a file system that keeps something back: only a write that succeeds says more.
  @Test func `a volume that says it has room and takes nothing stays full`() {
    var state = DiskGuard(limits: limits)
    _ = state.handle(reading(900), at: .zero)
    _ = state.writeFailed(at: .seconds(1))
    for second in 2..<100 {
      #expect(!state.handle(reading(900, ballast: false), at: .seconds(second)).contains(.report(.normal)))
      #expect(state.level == .full)
      #expect(state.mayRetry)
      _ = state.writeFailed(at: .seconds(second))
    }
    #expect(state.writeSucceeded(at: .seconds(101)) == [])
    #expect(!state.mayAppend)
    _ = state.handle(reading(900), at: .seconds(102))
    #expect(state.mayAppend)
    #expect(state.handle(reading(900), at: .seconds(107)) == [.report(.normal)])
  }

  @Test func `without limits only a write without room counts`() {
    var state = DiskGuard(limits: .off)
    #expect(state.handle(reading(0), at: .zero) == [])
    #expect(state.mayAppend)
    #expect(state.writeFailed(at: .zero) == [.report(.full), .releaseBallast])
    #expect(!state.mayAppend)
  }

  /// Whatever happens: levels agree with the space, and the ballast is never made while the feed is paused.
  @Test func `a random walk keeps its promises`() {
    var random = SplitMix64.forTest()
    for _ in 0..<200 {
      var state = DiskGuard(limits: limits)
      var available = 500
      var hasBallast = false
      for second in 0..<200 {
        available = max(0, min(900, available + Int.random(in: -120...120, using: &random)))
        var actions: [DiskGuard.Action]
        switch Int.random(in: 0..<10, using: &random) {
        case 0: actions = state.writeFailed(at: .seconds(second))
        case 1: actions = state.writeSucceeded(at: .seconds(second))
        case 2:
          hasBallast = false
          actions = []
        default:
          actions = state.handle(reading(available, ballast: hasBallast), at: .seconds(second))
          let space = available - (hasBallast ? 0 : 10)
          if state.level != .full {
            if space < 50 { #expect(state.level == .stop) }
            if space >= 165 { #expect(state.level == .normal || state.level == .stop) }
          }
        }
        for action in actions {
          switch action {
          case .makeBallast:
            #expect(state.mayAppend && !hasBallast && available >= 10)
            hasBallast = true
          case .releaseBallast: hasBallast = false
          case .report(let level): #expect(level == state.level)
          }
        }
      }
    }
  }
}

@Suite struct AppendPauseTests {
  @Test func `the gap lasts from the first refusal to the first data received afterwards`() {
    var pause = AppendPause<Int>()
    #expect(pause.appended(receivedAt: 1, at: .zero) == nil)
    #expect(pause.refused(at: .zero) { 7 } == 7)
    #expect(pause.refused(at: .zero) { 8 } == nil)
    pause.ended(wall: 100, at: .seconds(1))
    // What had waited.
    #expect(pause.appended(receivedAt: 50, at: .seconds(1)) == nil)
    #expect(pause.appended(receivedAt: 99, at: .seconds(2)) == nil)
    #expect(pause.appended(receivedAt: 100, at: .seconds(2)) == 7)
    #expect(pause.appended(receivedAt: 101, at: .seconds(2)) == nil)
    // Soon after its end, it is the same gap.
    #expect(pause.refused(at: .seconds(61)) { 9 } == 7)
    #expect(pause.refused(at: .seconds(61)) { 9 } == nil)
    pause.ended(wall: 200, at: .seconds(62))
    #expect(pause.appended(receivedAt: 200, at: .seconds(63)) == 7)
    #expect(pause.refused(at: .seconds(123)) { 9 } == 9)
  }

  @Test func `a pause without refusal is none`() {
    var pause = AppendPause<Int>()
    pause.ended(wall: 100, at: .zero)
    #expect(pause.appended(receivedAt: 200, at: .zero) == nil)
  }

  @Test func `a second pause before the end continues the gap`() {
    var pause = AppendPause<Int>()
    _ = pause.refused(at: .zero) { 7 }
    pause.ended(wall: 100, at: .zero)
    #expect(pause.refused(at: .zero) { 8 } == nil)
    #expect(pause.appended(receivedAt: 200, at: .zero) == nil)
    pause.ended(wall: 300, at: .zero)
    #expect(pause.appended(receivedAt: 200, at: .zero) == nil)
    #expect(pause.appended(receivedAt: 300, at: .zero) == 7)
  }

  @Test func `a clock that was set back does not keep the gap open`() {
    var pause = AppendPause<Int>()
    _ = pause.refused(at: .zero) { 7 }
    pause.ended(wall: 1_000_000, at: .seconds(50))
    #expect(pause.appended(receivedAt: 5, at: .seconds(59)) == nil)
    #expect(pause.appended(receivedAt: 6, at: .seconds(60)) == 7)
  }
}
