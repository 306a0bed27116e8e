/// Keys that a program prints (`credential_process`).
///
/// Its standard error is thrown away: it may be anything, and would end up in a message.
///
/// Reference: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
struct ProcessCredentials: CredentialProvider {
  let command: String
  let environment: [String: String]
  let source: String
  var limit = Duration.seconds(60)

  func credentials() async throws -> Credentials {
    guard let words = CommandWords.split(command), let program = words.first else {
      throw CredentialError(.incomplete, "\(source): credential_process has a quote that is not closed")
    }
    let what = "\(source), credential_process \(program)"
    let output: [UInt8]
    do {
      output = try await ChildProcess.output(
        of: words, environment: environment, limit: limit, maximumBytes: 64 << 10)
    } catch let error as ChildProcess.Failure {
      throw CredentialError(.unavailable, "\(what): \(error)")
    }
    let document = try CredentialDocument(output, source: what)
    guard document.version == 1 else {
      throw CredentialError(.unavailable, "\(what) printed a version other than 1")
    }
    return try document.credentials(source: what)
  }
}
