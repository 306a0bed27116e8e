import AWS
import Base
import Logging
import WAL

/// Finds the streams to subscribe to: named by the operator, else in the secret, else as the log knows them.
struct StreamSource: Sendable {
  let settings: FeedSettings
  let connection: AWSConnection
  let log: TickLog
  let logger: Logger

  /// The number of attempts at the secret before the last known list is taken.
  private static let attemptsBeforeFallback = 3

  /// - Throws: `CommandFailure` (78) for a secret without usable streams, while the log knows none;
  ///   `CancellationError`.
  func streams() async throws -> [String] {
    if let streams = settings.streams { return streams.names }
    let secrets = SecretsManagerClient(try await connection.client())
    let known = try await log.lastKnownStreams()
    while true {
      do {
        let retry = known == nil ? Retry.forever(onFailure: report) : fewAttempts
        let list = try list(in: try await secrets.getSecretValue(settings.secretName, retry: retry))
        for warning in list.warnings {
          logger.warning("the secret's streams: \(warning)", metadata: ["secret": "\(settings.secretName)"])
        }
        return list.names
      } catch let error as AWSError {
        guard let known else {
          report(Retry.Failure(attempt: 1, error: error, delay: .seconds(20)))
          try await ContinuousClock().sleep(for: .seconds(20))
          continue
        }
        logger.warning(
          "Secrets Manager does not answer: the streams that the log knows are used",
          metadata: ["streams": "\(known.count)", "error": "\(error)"])
        return known
      } catch let error as CommandFailure {
        guard let known else { throw error }
        logger.error(
          "the secret cannot be used: the streams that the log knows are used",
          metadata: ["streams": "\(known.count)", "error": "\(error.lines.joined(separator: " "))"])
        return known
      }
    }
  }

  private var fewAttempts: Retry {
    Retry(maximumAttempts: Self.attemptsBeforeFallback, backoff: Backoff(cap: .seconds(2)), onFailure: report)
  }

  private func report(_ failure: Retry.Failure) {
    guard failure.attempt == 1 || failure.attempt.isMultiple(of: 10) else { return }
    logger.warning(
      "could not read the secret with the streams: trying again",
      metadata: [
        "secret": "\(settings.secretName)", "attempt": "\(failure.attempt)", "error": "\(failure.error)",
      ])
  }

  /// Reads the secret's list once more, in a few tries; `nil` where the operator has named the streams.
  ///
  /// Throws `AWSError`, `CommandFailure` for a secret without usable streams, `CancellationError`.
  var rereading: (@Sendable () async throws -> StreamList)? {
    guard settings.streams == nil else { return nil }
    return { try await readAgain() }
  }

  private func readAgain() async throws -> StreamList {
    let secrets = SecretsManagerClient(try await connection.client())
    let retry = Retry(maximumAttempts: Self.attemptsBeforeFallback, backoff: Backoff(cap: .seconds(2)))
    return try list(in: try await secrets.getSecretValue(settings.secretName, retry: retry))
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
