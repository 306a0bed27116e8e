/// The encryption that S3 is asked for on new objects.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
package enum ObjectEncryption: Sendable, Equatable {
  /// With keys of S3's own (`AES256`).
  case s3
  /// With a key of KMS, by ID, ARN or alias; nil: the account's key for S3.
  case kms(keyID: String?)

  func add(to headers: inout HTTPHeaders) {
    let name = "x-amz-server-side-encryption"
    switch self {
    case .s3: headers.add(name, "AES256")
    case .kms(let keyID):
      headers.add(name, "aws:kms")
      if let keyID { headers.add("\(name)-aws-kms-key-id", keyID) }
    }
  }
}
