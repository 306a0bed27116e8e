import AWS
import Base
import Logging
import Synchronization

/// Uploads to one bucket with the headers that its store takes.
///
/// A store that is not AWS's own may refuse one. It is left out from then on, for as long as the process lives, if the
/// same upload without it is accepted.
final class S3Uploads: Sendable {
  private let client: S3Client
  private let bucket: String
  private let logger: Logger
  private let left = Mutex<Set<OptionalHeader>>([])

  init(client: S3Client, bucket: String, logger: Logger) {
    self.client = client
    self.bucket = bucket
    self.logger = logger
  }

  /// The headers that the store refuses.
  var leftOut: Set<OptionalHeader> { left.withLock { $0 } }

  /// Stores a new object; durable when it returns.
  ///
  /// - Parameter headers: besides those that a store may not know.
  /// - Returns: `false` if something is stored under the key already.
  func putNew(
    _ key: String, headers: HTTPHeaders, _ body: [UInt8], retry: Retry = .never
  ) async throws -> Bool {
    let upload = Upload(key: key, headers: headers, body: body, digest: SHA256.hash(body), retry: retry)
    return try await put(upload, [.checksum, .condition])
  }

  /// Stores a small object over what is there; durable when it returns.
  func replace(
    _ key: String, headers: HTTPHeaders, _ body: [UInt8], retry: Retry = .never
  ) async throws {
    let upload = Upload(key: key, headers: headers, body: body, digest: SHA256.hash(body), retry: retry)
    do {
      _ = try await put(upload, [.checksum])
    } catch let error as AWSError where error.code == .accessDenied {
      try await replaceUnderCondition(upload, error)
    }
  }

  private struct Upload {
    let key: String
    let headers: HTTPHeaders
    let body: [UInt8]
    let digest: Digest
    let retry: Retry
  }

  private func put(_ upload: Upload, _ wanted: Set<OptionalHeader>) async throws -> Bool {
    let isNew = wanted.contains(.condition)
    let sent = wanted.subtracting(leftOut)
    do {
      return try await send(upload, sent, isNew: isNew)
    } catch let error as AWSError where !client.isAtAWS && OptionalHeader.mayBeRefused(error) {
      for trial in OptionalHeader.trials(sent, error) {
        do {
          let isStored = try await send(upload, sent.subtracting(trial), isNew: isNew)
          leaveOut(trial, error)
          return isStored
        } catch let again as AWSError where OptionalHeader.mayBeRefused(again) {
          continue
        }
      }
      throw error
    }
  }

  private func send(_ upload: Upload, _ optional: Set<OptionalHeader>, isNew: Bool) async throws -> Bool {
    // The key is ours alone, so what is not there now is put there by nobody else.
    if isNew, !optional.contains(.condition),
      try await client.headObject(bucket: bucket, key: upload.key, retry: upload.retry) != nil
    {
      return false
    }
    var headers = upload.headers
    if optional.contains(.checksum) { headers.add(OptionalHeader.checksum.rawValue, upload.digest.base64) }
    if optional.contains(.condition) { headers.add(OptionalHeader.condition.rawValue, "*") }
    do {
      _ = try await client.putObject(
        bucket: bucket, key: upload.key, headers: headers, body: upload.body, bodyDigest: upload.digest,
        retry: upload.retry)
      return true
    } catch let error as AWSError where error.status == 412 && optional.contains(.condition) {
      return false
    }
  }

  private func leaveOut(_ headers: Set<OptionalHeader>, _ error: AWSError) {
    let new = left.withLock { left in
      defer { left.formUnion(headers) }
      return headers.subtracting(left)
    }
    for header in new {
      logger.warning(
        "the store refuses a header; it is left out from now on",
        metadata: ["header": "\(header.rawValue)", "endpoint": "\(client.endpoint)", "error": "\(error)"])
    }
  }

  /// A bucket's policy may demand `If-None-Match` of every upload, and what is replaced cannot have it. The first time
  /// it can; after that the operator is told what the policy has to leave out.
  private func replaceUnderCondition(_ upload: Upload, _ refusal: AWSError) async throws {
    do {
      if try await put(upload, [.checksum, .condition]) { return }
    } catch is AWSError {
      throw refusal
    }
    // There, and with the condition it would have been allowed.
    var error = refusal
    error.message +=
      "; the bucket's policy demands If-None-Match, which nothing can have that is replaced: let it leave out "
      + "the folders _logs and _gaps (\(upload.key))"
    throw error
  }
}
