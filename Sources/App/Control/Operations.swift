import Base
import Ingest
import Logging
import Shippers
import WAL

/// Does what operators ask of an open log.
struct Operations: Sendable {
  static let endingNow = "the process is ending, and has not done all of it: ask again when it has ended"

  let log: TickLog
  /// The loops of this process: none, if it has the log open for one request alone.
  let loops: [ConsumerLoop]
  /// Made when it is needed.
  let shipping: @Sendable () async throws -> Shipping
  let logger: Logger
  /// How the feed of this process stands.
  var feed: @Sendable () -> ControlAnswer.Feed = { ControlAnswer.Feed(state: .none) }

  /// - Returns: an answer in any case; failures are among them.
  func answer(_ request: ControlRequest) async -> ControlAnswer {
    do {
      switch request.command {
      case .seek: return ControlAnswer(seek: try await seek(request))
      case .retry: return ControlAnswer(letters: try await retry(try ids(of: request)))
      case .feed: return ControlAnswer(feed: feed())
      case .discard: return ControlAnswer(letters: try await discard(try ids(of: request)))
      }
    } catch is CancellationError {
      return .failed(.problems, Self.endingNow)
    } catch let error as any CommandError {
      return .failed(error.exitCode, error.lines.joined(separator: " "))
    } catch {
      return .failed(.problems, "\(error)")
    }
  }

  private func ids(of request: ControlRequest) throws -> [KeptDeadLetter.ID] {
    guard let ids = request.ids, !ids.isEmpty, ids.count <= ControlRequest.maximumIDs else {
      throw CommandFailure(.problems, "ids must be 1 to \(ControlRequest.maximumIDs) numbers")
    }
    return ids.map { KeptDeadLetter.ID(rawValue: $0) }
  }

  // MARK: Seek

  private func seek(_ request: ControlRequest) async throws -> ControlAnswer.Seek {
    guard let consumer = request.consumer, let offset = request.offset else {
      throw CommandFailure(.problems, "seek needs a consumer and an offset")
    }
    let seek = SeekRequest(
      consumer: ConsumerName(rawValue: consumer), offset: Offset(rawValue: offset),
      maySkip: request.skip ?? false)
    let dryRun = request.dryRun ?? false
    let outcome: SeekOutcome
    if let loop = loops.first(where: { $0.name == seek.consumer }) {
      outcome = try await loop.seek(seek, dryRun: dryRun)
    } else {
      outcome = try await log.seek(seek, dryRun: dryRun)
    }
    if !dryRun {
      logger.notice(
        "the consumer was moved by an operator",
        metadata: [
          "consumer": "\(consumer)", "from": .stringConvertible(outcome.from.rawValue),
          "to": .stringConvertible(outcome.to.rawValue),
        ])
    }
    return ControlAnswer.Seek(
      consumer: consumer, enabled: outcome.isEnabled, requested: offset, from: outcome.from.rawValue,
      to: outcome.to.rawValue, batches: outcome.batches, deadLetters: outcome.deadLetters)
  }

  // MARK: Dead letters

  private func retry(_ ids: [KeptDeadLetter.ID]) async throws -> [ControlAnswer.Letter] {
    let reader = try await log.makeReader()
    let result: Result<[ControlAnswer.Letter], any Error>
    do {
      var answers: [ControlAnswer.Letter] = []
      for id in ids { answers.append(try await retry(id, reader)) }
      result = .success(answers)
    } catch {
      result = .failure(error)
    }
    try await reader.close()
    return try result.get()
  }

  private func retry(_ id: KeptDeadLetter.ID, _ reader: LogReader) async throws -> ControlAnswer.Letter {
    guard let kept = try await reader.deadLetter(id) else { return answer(id, .unknown) }
    if [.feed, .fileImport].contains(kept.letter.consumer) { return try await append(kept) }
    let consumer = kept.letter.consumer
    let redelivery = try await shipping().redeliver(kept.letter, reader: reader)
    switch redelivery {
    case .delivered:
      try await log.write { try $0.remove([id]) }
      return answer(id, .delivered)
    case .expired:
      try await log.write { transaction in
        try transaction.remove([id])
        try transaction.addExpired(1, to: consumer)
      }
      return answer(id, .expired)
    case .refused(let cause):
      try await log.write { try $0.noteAttempt(id, cause: cause) }
      return answer(id, .refused, cause)
    case .untried(let why): return answer(id, .untried, why)
    }
  }

  /// Input that is a tick now is appended, as received when it came.
  private func append(_ kept: KeptDeadLetter) async throws -> ControlAnswer.Letter {
    let id = kept.id
    switch RejectedInput.ticks(ofPayload: kept.letter.payload, receivedAt: kept.createdAt) {
    case .success(let batch):
      let range = try await log.append(batch) { try $0.remove([id]) }
      let offsets = range.map { $0.length == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
      return answer(id, .delivered, "appended at offset \(offsets ?? "none")")
    case .failure(let error):
      try await log.write { try $0.noteAttempt(id, cause: error.cause) }
      return answer(id, .refused, error.cause)
    }
  }

  private func discard(_ ids: [KeptDeadLetter.ID]) async throws -> [ControlAnswer.Letter] {
    let discarded = Set(try await log.write { try $0.discard(ids) })
    if !discarded.isEmpty {
      logger.notice(
        "dead letters were discarded by an operator", metadata: ["count": .stringConvertible(discarded.count)]
      )
    }
    return ids.map { answer($0, discarded.contains($0) ? .discarded : .unknown) }
  }

  private func answer(
    _ id: KeptDeadLetter.ID, _ outcome: ControlAnswer.Letter.Outcome, _ detail: String? = nil
  ) -> ControlAnswer.Letter {
    ControlAnswer.Letter(
      id: id.rawValue, outcome: outcome, detail: detail.map { Text.oneLine($0, limit: 2_000) })
  }
}

extension SeekError: CommandError {
  var exitCode: ExitCode { .problems }
  var lines: [String] { [Text.oneLine(description, limit: 4_000)] }
}
