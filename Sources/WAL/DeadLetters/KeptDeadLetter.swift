/// A dead letter as it lies in the log.
package struct KeptDeadLetter: Sendable, Equatable {
  package struct ID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { String(rawValue) }
  }

  package let id: ID
  /// Its payload may be cut off, see ``payloadBytes``.
  package let letter: DeadLetter
  /// Of the whole payload.
  package let payloadBytes: Int
  /// Microseconds since 1970, UTC.
  package let createdAt: Int64
}

extension LogReader {
  /// Dead letters, the newest first.
  ///
  /// - Parameters:
  ///   - consumer: whose; `nil` for everybody's.
  ///   - id: only those before this one.
  ///   - payload: how many bytes of each payload to read at most.
  package func deadLetters(
    of consumer: ConsumerName?, before id: KeptDeadLetter.ID = .init(rawValue: .max), atMost count: Int,
    payload: Int
  ) throws -> [KeptDeadLetter] {
    try read { connection in
      // Two queries, so that each finds its index.
      let filter = consumer == nil ? "id < ?1" : "consumer = ?4 AND id < ?1"
      return try connection.deadLetters(
        "\(filter) ORDER BY id DESC LIMIT ?2", payload: Int64(payload),
        [.int(id.rawValue), .int(count), .null] + (consumer.map { [.text($0.rawValue)] } ?? []))
    }
  }

  package func deadLetter(_ id: KeptDeadLetter.ID) throws -> KeptDeadLetter? {
    try read { try $0.deadLetters("id = ?1", payload: .max, [.int(id.rawValue)]).first }
  }

  /// The count of dead letters by consumer; `feed` and `import` for input that is no tick.
  package func deadLetterCounts() throws -> [(consumer: ConsumerName, count: Int)] {
    try read { try $0.deadLetterCounts() }
  }
}

extension WriteTransaction {
  /// Takes letters away: their ticks are delivered now, or were never to be.
  package func remove(_ ids: [KeptDeadLetter.ID]) throws {
    for id in ids { try connection.deleteDeadLetter(id) }
  }

  /// Counts another attempt that failed.
  package func noteAttempt(_ id: KeptDeadLetter.ID, cause: String) throws {
    try connection.countAttempt(of: id, cause: cause)
  }

  /// Counts ticks that were not written because their TTL had passed.
  package func addExpired(_ count: Int, to consumer: ConsumerName) throws {
    try connection.addExpired(count, to: consumer)
  }

  /// Gives letters up: a tick is recorded as skipped from then on.
  ///
  /// - Returns: those that there were.
  package func discard(_ ids: [KeptDeadLetter.ID]) throws -> [KeptDeadLetter.ID] {
    try ids.filter { id in
      let letter = try connection.deadLetters("id = ?1", [.int(id.rawValue)]).first
      guard let letter = letter?.letter else { return false }
      try remove([id])
      if let offset = letter.offset { try discard(offset, of: letter.consumer) }
      return true
    }
  }

  private func discard(_ offset: Offset, of consumer: ConsumerName) throws {
    guard try !connection.isSkipped(offset, by: consumer) else { return }
    let batch = try connection.batch(of: consumer, holding: offset)
    if try connection.batch(of: consumer, holding: offset.previous) == batch {
      // One row for neighbours; not across batches, of which a seek may take one back.
      if try connection.extendSkipped(to: offset, of: consumer, why: SkipReason.discarded) { return }
    }
    try skip(offset...offset, of: consumer, why: SkipReason.discarded)
  }
}
