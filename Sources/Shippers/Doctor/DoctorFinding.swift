import AWS
import Base

/// The outcome of one of `doctor`'s checks. Pure, and safe to show.
package struct DoctorFinding: Sendable, Equatable {
  package enum Verdict: String, Sendable {
    case ok
    /// `run` works, but not as one would want.
    case warning
    /// `run` would not work.
    case failed
    case skipped
  }

  /// Short, the same in every version: programs look for it.
  package let name: String
  package let verdict: Verdict
  package let summary: String
  /// The advice on what to do about it.
  package var remedy: String?
  /// Seconds that this machine's clock was ahead of that of the service which answered; `nil` where none did.
  package var clockAhead: Int?

  /// The same with what the answer tells of the clocks.
  ///
  /// - Parameter date: the service's, epoch seconds UTC.
  package func heard(_ date: Int?) -> DoctorFinding {
    var finding = self
    finding.clockAhead = date.map { WallClock.epochSeconds() - $0 }
    return finding
  }

  package static func ok(_ name: String, _ summary: String) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .ok, summary: summary)
  }

  package static func warning(_ name: String, _ summary: String, _ remedy: String? = nil) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .warning, summary: summary, remedy: remedy)
  }

  package static func failed(_ name: String, _ summary: String, _ remedy: String? = nil) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .failed, summary: summary, remedy: remedy)
  }

  package static func skipped(_ name: String, _ why: String) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .skipped, summary: why)
  }

  /// - Parameter summary: safe to show.
  package init(name: String, verdict: Verdict, summary: String, remedy: String? = nil) {
    self.name = name
    self.verdict = verdict
    self.summary = summary
    self.remedy = remedy
  }
}

extension DoctorFinding {
  /// The number of times that a check asks, and the waits between them.
  package static let retry = Retry(maximumAttempts: 3, backoff: Backoff(cap: .seconds(1)))

  /// The finding of a check, or what its failure means.
  ///
  /// - Throws: `CancellationError` alone.
  package static func of(
    _ name: String, _ check: () async throws -> DoctorFinding, otherwise: ((AWSError) -> DoctorFinding)? = nil
  ) async throws -> DoctorFinding {
    do {
      return try await check()
    } catch let error as CancellationError {
      throw error
    } catch let error as AWSError {
      return (otherwise?(error) ?? failure(name, error)).heard(error.date)
    } catch {
      return failure(name, error)
    }
  }

  /// The finding of a check on this machine, or its failure.
  static func here(_ name: String, _ check: () throws -> DoctorFinding) -> DoctorFinding {
    do {
      return try check()
    } catch {
      return failure(name, error)
    }
  }

  /// An error of a call that `run` needs, too.
  private static func failure(_ name: String, _ error: any Error) -> DoctorFinding {
    guard let error = error as? AWSError else { return .failed(name, "\(error)") }
    let remedy: String? =
      switch error.kind {
      case .credentialsRefused, .missing: error.hint
      case .transient: "check network, proxy and endpoint; run itself would try for ever"
      case .throttled, .clockSkewed, .permanent: nil
      }
    return .failed(name, error.description, remedy)
  }
}
