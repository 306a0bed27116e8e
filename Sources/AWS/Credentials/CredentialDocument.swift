import Base
import FoundationEssentials

/// The JSON that metadata services and processes hand keys out in.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html,
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
struct CredentialDocument: Decodable {
  var version: Int?
  var code: String?
  private var accessKeyID: String?
  private var secretAccessKey: String?
  private var token: String?
  private var sessionToken: String?
  private var expiration: String?

  private enum CodingKeys: String, CodingKey {
    case version = "Version"
    case code = "Code"
    case accessKeyID = "AccessKeyId"
    case secretAccessKey = "SecretAccessKey"
    case token = "Token"
    case sessionToken = "SessionToken"
    case expiration = "Expiration"
  }

  /// Throws `CredentialError.Code.unavailable`, which quotes nothing of the bytes.
  init(_ bytes: [UInt8], source: String) throws(CredentialError) {
    do {
      self = try JSONDecoder().decode(CredentialDocument.self, from: Data(bytes))
    } catch {
      throw CredentialError(.unavailable, "\(source) answered with something that is not the JSON of keys")
    }
  }

  /// The keys. `source` is for messages; `issuedAt` the time by the clock of whoever gave them, if that is known.
  func credentials(source: String, issuedAt: Int? = nil) throws(CredentialError) -> Credentials {
    guard
      var found = try Credentials(
        accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken ?? token,
        source: source)
    else { throw CredentialError(.unavailable, "\(source) answered without keys") }
    if let expiration {
      guard let seconds = RFC3339.epochSeconds(expiration) else {
        throw CredentialError(.unavailable, "\(source) answered with an expiry that is no time")
      }
      found.expiration = seconds
      found.issuedAt = issuedAt
    }
    return found
  }
}
