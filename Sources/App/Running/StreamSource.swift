import AWS
import Base
import Logging
import WAL

/// Finds the streams to subscribe to: named by the operator, else as the log knows them until the secret is read.
struct StreamSource: Sendable {
  let settings: FeedSettings
  let connection: AWSConnection
  let log: TickLog
  let logger: Logger

  /// The streams that a feed begins with.
  struct Beginning: Sendable {
    let names: [String]
    /// Whether the secret's list has still to be read.
    var isOlder = false
  }

  /// The number of attempts at the secret before the list in force stays.
  private static let attempts = 3

  /// Waits for the secret only where nothing else tells the streams.
  ///
  /// - Throws: `CommandFailure` (78) for a secret without usable streams, while the log knows none;
  ///   `CancellationError`.
  func streams() async throws -> Beginning {
    if let streams = settings.streams { return Beginning(names: try settings.share(of: streams.names)) }
    if let known = try await known() {
      logger.info(
        "the feed begins with the streams that the log knows; the secret is read beside it",
        metadata: ["streams": .stringConvertible(known.count), "secret": "\(settings.secretName)"])
      return Beginning(names: known, isOlder: true)
    }
    let secrets = SecretsManagerClient(try await connection.client())
    while true {
      do {
        let retry = Retry.forever(onFailure: report)
        let list = try list(in: try await secrets.getSecretValue(settings.secretName, retry: retry))
        for warning in list.warnings {
          logger.warning("the secret's streams: \(warning)", metadata: ["secret": "\(settings.secretName)"])
        }
        return Beginning(names: try settings.share(of: list.names))
      } catch let error as AWSError {
        report(Retry.Failure(attempt: 1, error: error, delay: .seconds(20)))
        try await ContinuousClock().sleep(for: .seconds(20))
      }
    }
  }

  /// The list that the log has of the last feed, as far as it is this process's; nil if nothing of it is, as under another
  /// shard than then.
  private func known() async throws -> [String]? {
    guard let known = try await log.lastKnownStreams() else { return nil }
    let share = settings.shard?.share(of: known) ?? known
    return share.isEmpty ? nil : share
  }

  private func report(_ failure: Retry.Failure) {
    guard failure.attempt == 1 || failure.attempt.isMultiple(of: 10) else { return }
    var metadata: Logger.Metadata = [
      "secret": "\(settings.secretName)", "attempt": .stringConvertible(failure.attempt),
      "error": "\(failure.error)",
    ]
    if let hint = failure.error.hint { metadata["hint"] = "\(hint)" }
    logger.log(
      level: failure.error.needsOperator ? .error : .warning,
      "could not read the secret with the streams: trying again", metadata: metadata)
  }

  /// Reads the secret's list once more, in a few tries; `nil` where the operator has named the streams.
  ///
  /// Throws `AWSError`, `CommandFailure` for a secret without usable streams, `CancellationError`.
  var rereading: (@Sendable () async throws -> StreamRefresh.List)? {
    guard settings.streams == nil else { return nil }
    return { try await readAgain() }
  }

  private func readAgain() async throws -> StreamRefresh.List {
    let secrets = SecretsManagerClient(try await connection.client())
    let retry = Retry(maximumAttempts: Self.attempts, backoff: Backoff(cap: .seconds(2)))
    let list = try list(in: try await secrets.getSecretValue(settings.secretName, retry: retry))
    return StreamRefresh.List(names: try settings.share(of: list.names), warnings: list.warnings)
  }

  /// Says what is wrong with a secret without showing anything of it.
  private func list(in secret: SecretString) throws -> StreamList {
    do {
      return try StreamSecret.list(in: secret.exposed)
    } catch {
      throw CommandFailure(
        .badValue,
        "the secret \(settings.secretName) (BINANCE_WEBSOCKET_SECRET) cannot be used: "
          + "\(error.reason ?? "it is unusable"); \(StreamSecret.form)")
    }
  }
}
