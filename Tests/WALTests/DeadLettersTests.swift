import Base
import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct DeadLettersTests {
  private func withLetters(
    _ body: (_ log: TickLog, _ reader: LogReader) async throws -> Void
  ) async throws {
    try await withLog { log, path in
      try await log.enable([s3, dynamo])
      try await log.append(
        ticks(30),
        rejected: (1...3).map { RejectedInput(payload: Array("rubbish \($0)".utf8), cause: "no JSON") })
      try await log.commit(dynamo, next: 31)
      try await log.write { transaction in
        for offset: Int64 in [7, 8, 9, 20] {
          try transaction.add(
            DeadLetter(
              offset: Offset(rawValue: offset), consumer: dynamo, cause: "refused", attempts: 1,
              payload: Array("{\"n\":\(offset)}".utf8)))
        }
      }
      let reader = try await log.makeReader()
      try await body(log, reader)
      try await reader.close()
      #expect(try await LogVerification.of(path: path, consumers: kinds).problems.first.map(\.text) == [])
    }
  }

  private func ids(_ letters: [KeptDeadLetter]) -> [Int64] { letters.map(\.id.rawValue) }
  private func id(_ value: Int64) -> KeptDeadLetter.ID { KeptDeadLetter.ID(rawValue: value) }

  @Test func `they are listed newest first in pages`() async throws {
    try await withLetters { _, reader in
      #expect(ids(try await reader.deadLetters(of: nil, atMost: 100, payload: 100)) == [7, 6, 5, 4, 3, 2, 1])
      #expect(ids(try await reader.deadLetters(of: .feed, atMost: 2, payload: 100)) == [3, 2])
      #expect(ids(try await reader.deadLetters(of: .feed, before: id(2), atMost: 2, payload: 100)) == [1])
      #expect(
        ids(try await reader.deadLetters(of: dynamo, before: id(6), atMost: 9, payload: 100)) == [5, 4])
      let cut = try #require(try await reader.deadLetters(of: .feed, atMost: 1, payload: 4).first)
      #expect(cut.letter.payload == Array("rubb".utf8) && cut.payloadBytes == 9)
      let whole = try #require(try await reader.deadLetter(id(7)))
      #expect(whole.letter.payload == Array("{\"n\":20}".utf8))
      #expect(whole.letter.offset == Offset(rawValue: 20) && whole.letter.consumer == dynamo)
      #expect(try await reader.deadLetter(id(8)) == nil)
      #expect(
        try await reader.deadLetterCounts().map { "\($0.consumer) \($0.count)" } == ["dynamodb 4", "feed 3"])
    }
  }

  @Test func `a failed attempt is counted with its cause`() async throws {
    try await withLetters { log, reader in
      try await log.write { try $0.noteAttempt(id(4), cause: "refused otherwise") }
      let letter = try await reader.deadLetter(id(4))?.letter
      #expect(letter?.attempts == 2 && letter?.cause == "refused otherwise")
    }
  }

  @Test func `what is discarded is recorded as skipped`() async throws {
    try await withLetters { log, reader in
      let discarded = try await log.write { try $0.discard([id(1), id(4), id(5), id(6), id(7), id(99)]) }
      #expect(discarded.map(\.rawValue) == [1, 4, 5, 6, 7])
      #expect(ids(try await reader.deadLetters(of: nil, atMost: 9, payload: 0)) == [3, 2])
      let skipped = try await reader.skipped(of: dynamo, in: offsets(1...30))
      #expect(skipped == [offsets(7...9), offsets(20...20)])
      // Input that is no tick has no offset to be skipped.
      #expect(try await reader.text("SELECT count(*) FROM skipped") == "2")
      #expect(try await log.write { try $0.discard([id(4)]) } == [])
    }
  }

  @Test func `neighbours in two batches are two records`() async throws {
    try await withLetters { log, reader in
      try await log.write { transaction in
        for range in [offsets(1...10), offsets(11...20)] {
          let plan = BatchPlan(
            consumer: s3, range: range, destination: "{}", bucket: "b",
            key: "a-\(range.lowerBound)-\(range.upperBound).jsonl", rows: 9,
            sha256: String(repeating: "a", count: 64))
          try transaction.plan(plan)
          try transaction.markShipped(plan)
          try transaction.add(
            DeadLetter(
              offset: range == offsets(1...10) ? range.upperBound : range.lowerBound, consumer: s3,
              cause: "bad",
              attempts: 0, payload: []))
        }
        try transaction.commit(s3, next: Offset(rawValue: 21))
      }
      _ = try await log.write { try $0.discard([id(8), id(9)]) }
      #expect(try await reader.skipped(of: s3, in: offsets(1...30)) == [offsets(10...10), offsets(11...11)])
      // Going back over one of them forgets neither: both objects are frozen.
      _ = try await log.seek(SeekRequest(consumer: s3, offset: Offset(rawValue: 11)))
      #expect(try await reader.skipped(of: s3, in: offsets(1...30)) == [offsets(10...10), offsets(11...11)])
    }
  }

  @Test func `going back over what a salvage could not read is refused`() async throws {
    try await withLetters { log, reader in
      try await log.write { transaction in
        try transaction.skip(offsets(1...12), of: s3, why: SkipReason.salvaged)
        try transaction.commit(s3, next: Offset(rawValue: 13))
      }
      let error = await #expect(throws: SeekError.self) {
        _ = try await log.seek(SeekRequest(consumer: s3, offset: Offset(rawValue: 5)))
      }
      #expect(error?.code == .lostBatches && error?.description.contains("from 13 on") == true)
      #expect(try await reader.skipped(of: s3, in: offsets(1...30)) == [offsets(1...12)])
    }
  }
}
