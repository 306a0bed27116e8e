import Base
import Synchronization

/// The key for signing requests of one day, region and service.
///
/// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, step 4
struct SigningKey: Sendable {
  let key: HMACKey
  /// `20150830/us-east-1/s3/aws4_request`
  let scope: [UInt8]

  /// `day` is `20150830`.
  init(secretAccessKey: String, day: some Collection<UInt8>, region: String, service: String) {
    var hash = SHA256()
    var key = HMACKey(Array("AWS4\(secretAccessKey)".utf8), &hash)
    for part in [Array(day), Array(region.utf8), Array(service.utf8), Array("aws4_request".utf8)] {
      let digest = key.authenticate(part, &hash).bytes
      key = HMACKey(digest.indices.map { digest[$0] }, &hash)
    }
    self.key = key
    scope = Array(day) + Array("/\(region)/\(service)/aws4_request".utf8)
  }
}

/// The signing key last used, which serves a whole day.
final class SigningKeyCache: Sendable {
  private struct Entry {
    var day: [UInt8]
    var secretAccessKey: String
    var key: SigningKey
  }

  private let region: String
  private let service: String
  private let last = Mutex<Entry?>(nil)

  init(region: String, service: String) {
    self.region = region
    self.service = service
  }

  func key(_ credentials: Credentials, day: ArraySlice<UInt8>) -> SigningKey {
    let found = last.withLock { entry -> SigningKey? in
      guard let entry, entry.day.elementsEqual(day), entry.secretAccessKey == credentials.secretAccessKey
      else { return nil }
      return entry.key
    }
    if let found { return found }
    let key = SigningKey(
      secretAccessKey: credentials.secretAccessKey, day: day, region: region, service: service)
    let entry = Entry(day: Array(day), secretAccessKey: credentials.secretAccessKey, key: key)
    last.withLock { $0 = entry }
    return key
  }
}
