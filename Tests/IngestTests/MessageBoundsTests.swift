import Base
import Testing
import WAL

@testable import Ingest

/// Whatever a message holds, what becomes of it is bounded.
@Suite struct MessageBoundsTests {
  private struct Decoded {
    var outcome: MessageDecoder.Outcome
    var batch = TickBatch()
    var rejected: [RejectedInput] = []
    var surplus: Int
    var arrayStream: String
    var streams: [String] { batch.entries.map { batch.stream(of: $0) } }
  }

  private func decode(_ message: String, urlStream: String? = nil) -> Decoded {
    var decoder = MessageDecoder(urlStream: urlStream)
    var batch = TickBatch()
    var rejected: [RejectedInput] = []
    let outcome = Array(message.utf8).withUnsafeBufferPointer {
      decoder.decode($0, receivedAt: 7, into: &batch, rejected: &rejected)
    }
    return Decoded(
      outcome: outcome, batch: batch, rejected: rejected, surplus: decoder.surplus,
      arrayStream: String(decoding: decoder.arrayStream, as: UTF8.self))
  }

  private func array(_ element: String, _ count: Int, then rest: [String] = []) -> String {
    "[" + (Array(repeating: element, count: count) + rest).joined(separator: ",") + "]"
  }

  @Test(arguments: ["1", "{}", "[]", #"{"x":[{}]}"#])
  func `of an array of nothing a hundred elements are kept, and one that says how many there were`(
    _ element: String
  ) {
    for count in [1, 100, 101, 5_000, 250_000] {
      let decoded = decode(array(element, count))
      #expect(decoded.outcome == .rejected && decoded.batch.isEmpty && decoded.surplus == 0)
      #expect(decoded.rejected.count == min(count, 101))
      #expect(decoded.rejected.allSatisfy { $0.payload == Array(element.utf8) })
      if count > 100 {
        let cause = decoded.rejected.last?.cause ?? ""
        #expect(cause.hasPrefix("\(Figures.grouped(count - 100)) more elements of one message"))
      }
    }
  }

  private static let event = #"{"e":"trade","s":"A"}"#

  @Test func `ticks among nothing are kept, whatever is in their way`() {
    let decoded = decode(array("1", 2_000, then: [Self.event]))
    #expect(decoded.outcome == .ticks(1) && decoded.streams == ["a@trade"] && decoded.surplus == 0)
    #expect(decoded.rejected.count == 101)
  }

  @Test func `events beyond the limit are counted, and one is kept`() {
    let limit = EventArray.mostElements
    let decoded = decode(array(Self.event, limit + 3, then: ["{}", "1"]))
    #expect(decoded.outcome == .ticks(limit) && decoded.batch.count == limit)
    #expect(decoded.surplus == 3)
    #expect(decoded.rejected.map(\.payload) == [Array(Self.event.utf8)])
    #expect(decoded.rejected.first?.cause.hasPrefix("5 more elements") == true)
    // Where the stream says whose they are, each object may be a tick.
    let named = decode(#"{"stream":"!x@arr","data":"# + array("{}", limit + 2) + "}")
    #expect(named.surplus == 2 && named.arrayStream == "!x@arr" && named.batch.count == limit)
    #expect(decode(array(Self.event, limit)).surplus == 0)
  }

  @Test func `small messages that come at once are no way around it`() {
    var intake = Intake()
    var decoder = MessageDecoder()
    for number in 0..<3_000 {
      _ = Array("\(number)".utf8).withUnsafeBufferPointer { intake.add($0, decoder: &decoder) }
    }
    #expect(intake.messages == 3_000 && intake.rejected.count == Intake.mostRejected)
    #expect(intake.rejected.first?.payload == Array("0".utf8))
    #expect(intake.rejected.last?.payload == Array("999".utf8))
    #expect(intake.rejected.last?.cause.hasPrefix("2,001 more inputs that came at once are no ticks") == true)
  }

  @Test func `events beyond the limit are a gap, of their stream if that is known`() {
    var intake = Intake()
    intake.receivedAt = 50
    var decoder = MessageDecoder()
    let data = array("{}", EventArray.mostElements + 2)
    for stream in ["!x@arr", "!x@arr", "!y@arr"] {
      let message = #"{"stream":"\#(stream)","data":\#(data)}"#
      _ = Array(message.utf8).withUnsafeBufferPointer { intake.add($0, decoder: &decoder) }
      intake.ticks.removeAll()
      #expect(intake.surplus?.stream == (stream == "!x@arr" ? stream : nil))
    }
    #expect(intake.surplus?.events == 6)
    guard
      case .add(let start, let end, let cause, let streams, let detail, _) = intake.surplus?.gap(
        at: 50, streams: ["a@b"])
    else { return #expect(Bool(false), "no gap") }
    #expect((start, end) == (50, 51))
    #expect(cause == .queueFull && streams == ["a@b"] && detail == #"{"events":6}"#)
    let one = Surplus(events: 1, stream: "!x@arr").gap(at: 50, streams: ["a@b"])
    guard case .add(_, _, _, let named, _, _) = one else { return #expect(Bool(false), "no gap") }
    #expect(named == ["!x@arr"])
  }

  // MARK: Names

  private static let longest = String(repeating: "n", count: 2_048)

  @Test func `a name of 2,048 bytes is a stream's, one more is none`() {
    let escaped = #"\u006e"# + Self.longest.dropFirst()
    for name in [Self.longest, escaped] {
      #expect(decode(#"{"stream":"\#(name)","data":{}}"#).streams == [Self.longest])
      let long = decode(#"{"stream":"\#(name)n","data":{}}"#)
      #expect(long.outcome == .rejected && long.rejected.count == 1)
      #expect(long.rejected.first?.cause == "the stream's name has more than 2,048 bytes")
    }
    for message in [
      #"{"stream":"!\#(Self.longest)","data":{"e":"trade","s":"A"}}"#,
      #"{"stream":"!\#(Self.longest)","data":[{"e":"trade","s":"A"}]}"#,
      #"{"e":"trade","s":"\#(Self.longest)"}"#, #"{"e":"\#(Self.longest)","s":"A"}"#,
      #"[{"e":"trade","s":"\#(Self.longest)"}]"#, #"[{"e":"trade","s":"\u006e\#(Self.longest)"}]"#,
    ] {
      let long = decode(message)
      #expect(long.outcome == .rejected && long.rejected.count == 1 && long.arrayStream.isEmpty)
      #expect(long.rejected.first?.cause == "the stream's name has more than 2,048 bytes")
    }
  }

  @Test func `a table that is full of names has a number for those that it knows, and no more`() {
    var table = StreamTable(byteLimit: 10)
    #expect(table.number(of: "aaaa") == 0 && table.number(of: "bbbbbb") == 1)
    #expect(table.number(of: "c") == nil && table.number(of: "aaaa") == 0 && table.count == 2)
  }
}
