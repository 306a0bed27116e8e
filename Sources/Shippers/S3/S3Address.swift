/// The address of a folder in a bucket.
struct S3Address: DestinationAddress {
  let endpoint: String
  let bucket: String
  let prefix: String

  var fields: [(name: String, value: String)] {
    [("endpoint", endpoint), ("bucket", bucket), ("prefix", prefix)]
  }

  /// `s3://bucket/folder`, and at which server if that is not AWS's own.
  var text: String {
    let isOfAWS = endpoint.contains(".amazonaws.")
    return "s3://\(bucket)" + (prefix.isEmpty ? "" : "/\(prefix)") + (isOfAWS ? "" : " at \(endpoint)")
  }
}

extension S3Settings {
  package static func text(ofAddress address: String) -> String? { S3Address(json: address)?.text }
}
