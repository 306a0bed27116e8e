import WAL

/// The outcome for a dead letter whose tick was delivered again.
package enum Redelivery: Sendable, Equatable {
  /// The sink has confirmed it.
  case delivered
  /// Not written, because its TTL has passed.
  case expired
  /// The sink, or the log, says again that it cannot be; why.
  case refused(String)
  /// It could not be found out; why.
  case untried(String)
}

extension Shipping {
  /// Delivers the tick of a dead letter to its consumer, once. Moves no consumer and writes nothing to the log.
  ///
  /// - Throws: `CancellationError`; the log's errors.
  package func redeliver(
    _ letter: DeadLetter, reader: LogReader, clock: ShippingClock = .system
  ) async throws -> Redelivery {
    guard let offset = letter.offset, let destination = destination(of: letter.consumer) else {
      return .untried("this process does not deliver to \(letter.consumer)")
    }
    let stored = try await reader.consumers().first { $0.name == letter.consumer }?.destination
    guard stored == destination.address else {
      return .untried(
        "\(letter.consumer) delivers to \(stored ?? "nowhere"), and the settings say \(destination.address)"
      )
    }
    let page: TickPage
    do {
      page = try await reader.page(from: offset, through: offset, maximumTicks: 1)
    } catch let error as LogError where error.code == .notFound {
      return .untried("its tick is not kept any more; its payload is all there is")
    }
    let logID = try await reader.logID()
    do {
      return try await destination.redeliver(page, of: logID, wall: clock.wall())
    } catch let error as LogError {
      throw error
    } catch {
      try Task.checkCancellation()
      return .untried("\(error)")
    }
  }
}
