import Testing
import WAL

@testable import Ingest

@Suite struct StreamTrackTests {
  private func note(_ track: inout StreamTrack, _ texts: String..., at second: Int) {
    var ticks = TickBatch()
    for stream in texts {
      ticks.append(receivedAt: 0, eventTime: nil, stream: stream, payload: "{}")
    }
    var sequences = SequenceGaps()
    track.note(
      Intake(ticks: ticks), at: Int64(second) * 1_000_000, into: &sequences, now: .seconds(second))
  }

  @Test func `a stream with ten ticks has a rhythm: ten times its longest pause do not belong to it`() {
    var track = StreamTrack()
    for second in 1...30 {
      note(&track, "a", at: second)
      if second % 3 == 0 { note(&track, "b", at: second) }
      if second % 4 == 0 { note(&track, "c", at: second) }
    }
    var past = StreamTrack()
    past.absorb(track)
    let rhythms = past.rhythms
    #expect(rhythms.keys.sorted() == ["a", "b"])
    #expect(rhythms["a"]?.silence == .seconds(10) && rhythms["a"]?.lastReceived == 30_000_000)
    #expect(rhythms["b"]?.silence == .seconds(30))
    #expect(past.lastReceived("c") == 28_000_000)
    #expect(past.lastReceived("d") == nil)
  }

  @Test func `while the whole connection is silent no stream of it is`() {
    var track = StreamTrack()
    for second in 1...10 { note(&track, "a", "b", at: second) }
    note(&track, "a", at: 100)
    note(&track, "b", at: 101)
    var past = StreamTrack()
    past.absorb(track)
    #expect(past.rhythms["a"]?.silence == .seconds(10) && past.rhythms["b"]?.silence == .seconds(20))
  }

  @Test func `the time in which a connection delivered has no silence of all of it`() {
    var track = StreamTrack()
    #expect(track.activeTime(at: .seconds(5)) == .zero)
    for second in [10, 11, 20, 21] { note(&track, "a", at: second) }
    #expect(track.activeTime(at: .milliseconds(21_500)) == .milliseconds(3_500))
    #expect(track.activeTime(at: .seconds(29)) == .seconds(4))
  }

  @Test func `a stream that had stopped before the end may be silent as long again`() {
    var track = StreamTrack()
    for second in 1...10 { note(&track, "a", "b", at: second) }
    for second in 11...70 { note(&track, "a", at: second) }
    var past = StreamTrack()
    past.absorb(track)
    #expect(past.rhythms["b"]?.silence == .seconds(600))
    // A later connection that has not got it changes nothing of that.
    var later = StreamTrack()
    note(&later, "a", at: 80)
    past.absorb(later)
    #expect(past.rhythms["b"]?.silence == .seconds(600) && past.rhythms["a"]?.lastReceived == 80_000_000)
  }
}
