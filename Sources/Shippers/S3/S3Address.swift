/// The address of a folder in a bucket.
struct S3Address: DestinationAddress {
  let endpoint: String
  let bucket: String
  let prefix: String

  var fields: [(name: String, value: String)] {
    [("endpoint", endpoint), ("bucket", bucket), ("prefix", prefix)]
  }
}
