import AWS
import Base
import Shippers

/// The checks of the keys, and of the secret. Each call is one that `run` makes, too, or changes nothing.
struct AWSDoctor: Sendable {
  let settings: Configuration
  let client: AWSClient
  /// Whether a folder takes the place of the destinations.
  let isLocal: Bool

  func credentials() async throws -> DoctorFinding {
    let delivers = !isLocal && settings.destinations.contains { $0.isEnabled }
    guard delivers || settings.feed.streams == nil else {
      return .skipped("credentials", "nothing is delivered to AWS or read from it")
    }
    return try await DoctorFinding.of("credentials") {
      do {
        return describe(try await client.currentCredentials())
      } catch let error as CredentialError where error.code == .unknownProfile {
        guard let profile = settings.aws.profile else { throw error }
        return .failed(
          "credentials",
          "PIPELINE_IAM_USER is '\(Text.oneLine(profile))' but must be a profile that exists: \(error)")
      }
    }
  }

  func identity() async throws -> DoctorFinding {
    try await DoctorFinding.of("identity") {
      let identity = try await STSClient(client).callerIdentity(retry: DoctorFinding.retry)
      return .ok("identity", "\(identity.arn), account \(identity.account)").heard(identity.answer.date)
    } otherwise: { error in
      // run does not ask STS for it: only keys that are refused are in its way.
      guard error.kind != .credentialsRefused else {
        return .failed("identity", error.description, "these keys are not valid: make new ones")
      }
      return .warning("identity", error.description)
    }
  }

  private func describe(_ keys: Credentials) -> DoctorFinding {
    let left = keys.lifetime(at: WallClock.epochSeconds())
    if let left, left <= 0 {
      return .warning(
        "credentials", "from \(keys.source), expired for \(-left) s",
        "they are used all the same: the service decides. Look at their source, and at this machine's clock")
    }
    return .ok("credentials", "from \(keys.source)\(left.map { ", for another \($0) s" } ?? "")")
  }

  func secret() async throws -> [DoctorFinding] {
    if let streams = settings.feed.streams {
      return [.skipped("secret", "STREAMS names \(Figures.counted(streams.names.count, "stream"))")]
    }
    let name = settings.feed.secretName
    var listed: [String] = []
    let finding = try await DoctorFinding.of("secret") {
      let secret = try await SecretsManagerClient(client).getSecretValue(name, retry: DoctorFinding.retry)
      do throws(BadText) {
        let names = try StreamSecret.list(in: secret.exposed).names
        listed = names
        return .ok(
          "secret", "\(name) lists \(Figures.counted(names.count, "stream")): \(Text.list(names, limit: 3))")
      } catch {
        return .failed("secret", "\(name): \(error.reason ?? "it is unusable")", StreamSecret.form)
      }
    }
    return [finding] + (listed.isEmpty ? [] : settings.feed.shardFindings(listed))
  }
}
