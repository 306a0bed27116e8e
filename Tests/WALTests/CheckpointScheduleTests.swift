import LogFixtures
import Testing

@testable import WAL

@Suite struct CheckpointScheduleTests {
  private typealias Result = SQLiteConnection.CheckpointResult

  private func done(_ frames: Int) -> Result {
    Result(walFrames: frames, copiedFrames: frames, isBlocked: false)
  }
  private func blocked(_ frames: Int, copied: Int) -> Result {
    Result(walFrames: frames, copiedFrames: copied, isBlocked: true)
  }

  @Test func `passive at sixteen mebibytes and again every four`() {
    var schedule = CheckpointSchedule()
    #expect(schedule.due(walFrames: 0) == nil)
    #expect(schedule.due(walFrames: 4_095) == nil)
    #expect(schedule.due(walFrames: 4_096) == .passive)
    #expect(schedule.finished(done(4_096)) == nil)
    #expect(schedule.due(walFrames: 5_119) == nil)
    #expect(schedule.due(walFrames: 5_120) == .passive)
  }

  @Test func `a small volume gets a short WAL`() {
    var schedule = CheckpointSchedule()
    schedule.fit(volumeBytes: 100 << 20)
    let passive = (100 << 20) / 128 / CheckpointSchedule.bytesPerFrame
    #expect(schedule.due(walFrames: passive - 1) == nil)
    #expect(schedule.due(walFrames: passive) == .passive)
    #expect(schedule.due(walFrames: passive * 4) == .restart)
    schedule.fit(volumeBytes: 1 << 20)
    #expect(schedule.due(walFrames: 63) == nil)
    #expect(schedule.due(walFrames: 64) == .passive)
    schedule.fit(volumeBytes: 1 << 40)
    #expect(schedule.due(walFrames: 4_095) == nil)
  }

  @Test func `a WAL that started over is short again`() {
    var schedule = CheckpointSchedule()
    #expect(schedule.due(walFrames: 16_384) == .restart)
    _ = schedule.finished(done(16_384))
    #expect(schedule.due(walFrames: 10) == nil)
    #expect(schedule.due(walFrames: 4_095) == nil)
    #expect(schedule.due(walFrames: 4_096) == .passive)
  }

  @Test func `it insists from sixty-four mebibytes on`() {
    var schedule = CheckpointSchedule()
    #expect(schedule.due(walFrames: 16_383) == .passive)
    #expect(schedule.finished(blocked(16_383, copied: 3)) == nil)
    #expect(schedule.due(walFrames: 17_406) == nil)
    #expect(schedule.due(walFrames: 17_407) == .restart)
  }

  @Test func `a WAL kept long is warned of once for each doubling`() {
    var schedule = CheckpointSchedule()
    var warnings: [Int] = []
    for frames in stride(from: 0, through: 150_000, by: 100) {
      guard schedule.due(walFrames: frames) != nil else { continue }
      if let warning = schedule.finished(blocked(frames, copied: 3)) { warnings.append(warning.walFrames) }
    }
    #expect(warnings.count == 4)
    #expect(warnings[0] >= 16_384)
    for (earlier, later) in zip(warnings, warnings.dropFirst()) { #expect(later >= 2 * earlier) }
  }

  @Test func `the end of a warning is said once`() {
    var schedule = CheckpointSchedule()
    #expect(schedule.due(walFrames: 16_384) == .restart)
    #expect(schedule.finished(blocked(16_384, copied: 3)) != nil)
    #expect(schedule.due(walFrames: 20_480) == .restart)
    let before = schedule.takeOver()
    #expect(schedule.finished(done(20_480)) == nil)
    #expect(schedule.due(walFrames: 4) == nil)
    let first = schedule.takeOver()
    let again = schedule.takeOver()
    #expect([before, first, again] == [false, true, false])
    // Without a warning before it.
    #expect(schedule.due(walFrames: 4_096) == .passive)
    #expect(schedule.due(walFrames: 4) == nil)
    let unwarned = schedule.takeOver()
    #expect(!unwarned)
  }

  @Test func `a failed checkpoint is tried again after more growth`() {
    var schedule = CheckpointSchedule()
    #expect(schedule.due(walFrames: 4_096) == .passive)
    schedule.failed(walFrames: 4_096)
    #expect(schedule.due(walFrames: 4_097) == nil)
    #expect(schedule.due(walFrames: 5_120) == .passive)
  }
}
