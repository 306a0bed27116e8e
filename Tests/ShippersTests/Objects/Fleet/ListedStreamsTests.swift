import Base
import TestSupport
import Testing
import WAL

@testable import Shippers

@Suite struct ListedStreamsTests {
  @Test func `streams that stay keep their beginning, those that go get an end`() throws {
    var record = ListedStreams(logID: LogID(rawValue: "0123456789abcdef"))
    record.update(["b@trade", "a@trade"], since: 1_000_000, now: 2_000_000)
    record.update(["b@trade", "c@trade"], since: 5_000_000, now: 6_000_000)
    record.update(["a@trade", "b@trade"], since: 7_000_000, now: 8_000_000)
    let text = String(decoding: try record.json(), as: UTF8.self)
    #expect(
      text == """
        {"log_id":"0123456789abcdef","sha256":"\(ListedStreams.hash(of: ["b@trade", "a@trade"]))","streams":[\
        {"first_tick":null,"from":"1970-01-01T00-00-01.000000Z","name":"a@trade","to":"1970-01-01T00-00-05.000000Z"},\
        {"first_tick":null,"from":"1970-01-01T00-00-07.000000Z","name":"a@trade","to":null},\
        {"first_tick":null,"from":"1970-01-01T00-00-01.000000Z","name":"b@trade","to":null},\
        {"first_tick":null,"from":"1970-01-01T00-00-05.000000Z","name":"c@trade","to":"1970-01-01T00-00-07.000000Z"}],\
        "written_at":"1970-01-01T00-00-08.000000Z"}
        """)
    #expect(try ListedStreams(json: Array(text.utf8)) == record)
  }

  @Test func `what ended more than a year ago is forgotten`() {
    var record = ListedStreams(logID: LogID(rawValue: "0123456789abcdef"))
    record.update(["a"], since: 0, now: 0)
    record.update(["b"], since: 1, now: 1)
    record.update(["b"], since: 1, now: 400 * 86_400_000_000)
    #expect(record.streams.map(\.name) == ["b"])
  }

  /// `printf 'a@trade\nb@trade\n' | sha256sum`
  @Test func `the hash is of the sorted names, a line each`() {
    let hash = "4eca4e1bbd1e511dbf087d26d89772f004b7a130e5f683511a5d600419e4999a"
    #expect(ListedStreams.hash(of: ["b@trade", "a@trade"]) == hash)
  }

  @Test func `times are read as they are written`() {
    #expect(Timestamp.microseconds("2026-11-22T02-48-40.009438Z") == 1_795_315_720_009_438)
    #expect(Timestamp.microseconds("2026-11-22T02:48:40.009438Z") == 1_795_315_720_009_438)
    for text in [
      "", "2026-11-22T02-48-40Z", "2026-11-22T02-48-40.00943Z", "2026-11-22T02-48-40.0094381Z",
      "2026-13-22T02-48-40.009438Z", "2026-11-22T02-48-40.+09438Z", "2026-11-22T02/48/40.009438Z",
      "2026-11-22T02-48-40.009438+", "2026-02-30T02-48-40.009438Z",
    ] { #expect(Timestamp.microseconds(text) == nil, "\(text)") }
    var random = SplitMix64(seed: 7)
    for _ in 0..<1_000 {
      let time = Int64.random(in: Timestamp.representable, using: &random)
      #expect(Timestamp.microseconds(Timestamp.dashed(microseconds: time)) == time)
      #expect(Timestamp.microseconds(Timestamp.rfc3339(microseconds: time)) == time)
    }
  }
}
