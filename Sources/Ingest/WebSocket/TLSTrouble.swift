import Base
import NIOSSL

/// An operator's words for why a connection could not be secured.
enum TLSTrouble {
  /// Nil for what has nothing to do with TLS.
  static func text(_ error: any Error) -> String? {
    if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
      return "the server's certificate is for another name"
    }
    guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError else { return nil }
    // The library's errors name their cause in their text alone.
    let text = "\(error)"
    if text.contains("EOF during handshake") {
      return "the server ended the connection while it was being secured"
    }
    guard let name = name(in: text) else {
      return "the connection could not be secured (\(Text.oneLine(bytes: text.utf8, limit: 300)))"
    }
    switch name {
    case "CERTIFICATE_VERIFY_FAILED":
      return
        "the server's certificate is not trusted: it is expired, self-signed, or of an authority that is "
        + "not among the trusted ones (\(name))"
    case "WRONG_VERSION_NUMBER", "HTTP_REQUEST":
      return "the server does not speak TLS; a URL that begins with ws:// does without (\(name))"
    case let name where name.contains("_ALERT_"):
      return "the server refused to secure the connection (\(name))"
    case "UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER":
      return "the server speaks no version of TLS that is safe enough (\(name))"
    default: return "the connection could not be secured (\(name))"
    }
  }

  /// BoringSSL's name of the reason: `…:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED at …`.
  private static func name(in text: String) -> Substring? {
    guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return nil }
    let name = text[start...].prefix { $0.isASCII && ($0.isUppercase || $0.isNumber || $0 == "_") }
    return name.isEmpty ? nil : name
  }
}
