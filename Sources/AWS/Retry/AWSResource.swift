/// The thing of AWS's that a call is about, as errors name it.
package enum AWSResource: Sendable, Equatable {
  case bucket(String)
  case object(bucket: String, key: String)
  case table(String, region: String)
  case kinesisStream(String, region: String)
  case secret(String, region: String)

  /// The resource's ARN; the account, which nobody has told, is `*`.
  package var arn: String {
    switch self {
    case .bucket(let name): Self.isARN(name) ? name : "arn:aws:s3:::\(name)"
    case .object(let bucket, let key):
      Self.isARN(bucket) ? "\(bucket)/object/\(key)" : "arn:aws:s3:::\(bucket)/\(key)"
    case .table(let name, let region):
      Self.isARN(name) ? name : "arn:aws:dynamodb:\(region):*:table/\(name)"
    case .kinesisStream(let name, let region): "arn:aws:kinesis:\(region):*:stream/\(name)"
    case .secret(let name, let region):
      Self.isARN(name) ? name : "arn:aws:secretsmanager:\(region):*:secret:\(name)-??????"
    }
  }

  private static func isARN(_ name: String) -> Bool { name.hasPrefix("arn:") }

  /// The right that an operation on it needs, with its ARN.
  package func right(for operation: String) -> String {
    switch (self, operation) {
    case (.object(let bucket, _), "HeadObject"):
      // A HEAD's answer says no more than 403, and so it is for what is not there.
      "s3:GetObject on \(arn) or s3:ListBucket on \(AWSResource.bucket(bucket).arn)"
    case (.object, _): "s3:\(operation) on \(arn)"
    case (.bucket, _): "s3:ListBucket on \(arn)"
    case (.table, _): "dynamodb:\(operation) on \(arn)"
    case (.kinesisStream, _): "kinesis:\(operation) on \(arn)"
    case (.secret, _): "secretsmanager:\(operation) on \(arn)"
    }
  }
}

extension AWSResource: CustomStringConvertible {
  package var description: String {
    switch self {
    case .bucket(let name): "s3://\(name)"
    case .object(let bucket, let key): "s3://\(bucket)/\(key)"
    case .table(let name, let region): "table \(name) in \(region)"
    case .kinesisStream(let name, let region): "Kinesis stream \(name) in \(region)"
    case .secret(let name, let region): "secret \(name) in \(region)"
    }
  }
}
