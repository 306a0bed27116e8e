import AWS
import Shippers

/// Calls that only look: trouble that passes is waited for, what the operator must mend ends the comparison.
struct Inquiry: Sendable {
  let attempts: Attempts

  private static let patience = Refusal.patience

  /// - Parameters:
  ///   - doing: completes "could not".
  ///   - key: what it is done to.
  /// - Throws: what waiting does not mend, `CancellationError`.
  func callAsFunction<T: Sendable>(
    _ doing: String, _ key: String, _ operation: () async throws -> T
  ) async throws -> T {
    var refusals = 0
    let result = try await attempts.untilDone(doing, key: key) { () -> Result<T, any Error> in
      do {
        return .success(try await operation())
      } catch let error as AWSError {
        switch error.kind {
        case .permanent: return .failure(error)
        case .missing, .credentialsRefused:
          refusals += 1
          if refusals >= Self.patience { return .failure(error) }
          throw error
        case .transient, .throttled, .clockSkewed: throw error
        }
      } catch  where !(error is CancellationError) {
        // Of a folder or a file on this machine.
        refusals += 1
        if refusals >= Self.patience { return .failure(error) }
        throw error
      }
    }
    return try result.get()
  }
}
