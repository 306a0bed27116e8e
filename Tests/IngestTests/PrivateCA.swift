import TestSupport
import Testing

/// A certificate authority of a test's own, made with the `openssl` command.
struct PrivateCA {
  /// PEM of the authority, to be trusted.
  let bundle: String
  private let folder: TemporaryFolder
  private let key: String

  init(in folder: TemporaryFolder, name: String = "ca") throws {
    self.folder = folder
    bundle = folder.file("\(name).pem")
    key = folder.file("\(name).key")
    try Self.openssl([
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
      "/CN=\(name)", "-keyout", key, "-out", bundle,
    ])
  }

  /// PEM files of a certificate for a subject such as `DNS:localhost` or `IP:127.0.0.1`, and of its key.
  func issue(_ subject: String, name: String) throws -> (certificate: String, key: String) {
    let (certificate, serverKey) = (folder.file("\(name).pem"), folder.file("\(name).key"))
    try Self.openssl([
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
      "/CN=\(name)", "-addext", "subjectAltName=\(subject)", "-addext", "basicConstraints=critical,CA:FALSE",
      "-CA", bundle, "-CAkey", key, "-keyout", serverKey, "-out", certificate,
    ])
    return (certificate, serverKey)
  }

  private static func openssl(_ arguments: [String]) throws {
    let result = try runProgram("openssl", arguments)
    try #require(result.status == 0, "\(result.errors)")
  }
}
