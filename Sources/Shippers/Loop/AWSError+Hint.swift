import AWS

/// The advice to the operator that goes with an error.
extension AWSError {
  /// Whether a person must change something before the same call can succeed.
  package var needsOperator: Bool {
    switch kind {
    case .credentialsRefused, .missing, .permanent: true
    case .transient, .throttled, .clockSkewed: false
    }
  }

  /// The thing to do about it, with the right or the name; nil where nothing helps but to wait.
  package var hint: String? {
    switch kind {
    case .transient, .throttled, .clockSkewed, .permanent: nil
    case .missing where isOfSomebodyElse, .credentialsRefused where isOfSomebodyElse:
      "this answer has neither a code nor a request id, as those of AWS have: look at what lies in between"
        + " (HTTPS_PROXY, NO_PROXY, a firewall, a sign-in page), and whether the endpoint is right"
    case .missing: missingHint
    case .credentialsRefused: refusalHint
    }
  }

  /// Most likely a proxy or portal has answered. It says nothing about keys, rights or names.
  private var isOfSomebodyElse: Bool { !isFromService && Self.statusAlone.contains(code.rawValue) }

  /// For answers without a code.
  private static let statusAlone: Set<String> = ["BadRequest", "Forbidden", "NotFound"]

  private var missingHint: String? {
    if code == .wrongRegion { return nil }
    if code.rawValue.hasPrefix("KMS") { return keyHint }
    return switch resource {
    case .bucket(let name), .object(let name, _): "make the bucket \(name), or correct S3_BUCKET or REGION"
    case .table(let name, let region):
      "make the table \(name) in \(region), or correct DYNAMO_TABLE_NAME or REGION"
    case .kinesisStream(let name, let region):
      "make the Kinesis stream \(name) in \(region), or correct KINESIS_STREAM or REGION"
    case .secret(let name, let region):
      "make the secret \(name) in \(region), or correct BINANCE_WEBSOCKET_SECRET or REGION"
    case nil: nil
    }
  }

  private var keyHint: String {
    if case .kinesisStream = resource {
      return "enable the key of the Kinesis stream in KMS, and give the keys' owner kms:GenerateDataKey on it"
    }
    return "enable the key in KMS, or name another (S3_SSE_KMS_KEY_ID)"
  }

  /// The file that has the right: only `reconcile` reads items, and few put records.
  private var policy: String {
    if case .kinesisStream = resource { return "kinesis.json" }
    return operation == "BatchGetItem" ? "reconcile.json" : "policy.json"
  }

  private static let denied: Set<String> = [
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden", "NotAuthorized",
    "UnauthorizedAccess",
  ]
  private static let expired: Set<String> = [
    "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired",
  ]

  private var refusalHint: String {
    if code == .credentialsUnavailable { return "put keys where they are looked for (docs/aws.md)" }
    if Self.expired.contains(code.rawValue) { return "renew the keys: their session has ended" }
    guard Self.denied.contains(code.rawValue), let resource else {
      return "correct the keys: these are not valid"
    }
    if message.contains("kms:") { return "give the keys' owner the right on the key of KMS that is named" }
    return "give the keys' owner the right \(resource.right(for: operation)) (deploy/iam/\(policy))"
  }
}
