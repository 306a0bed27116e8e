import NIOSSL

/// An operator's words for why a connection could not be secured.
enum TLSTrouble {
  /// Nil for what has nothing to do with TLS.
  static func text(_ error: any Error) -> String? {
    if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
      return "the server's certificate is for another name: \(error)"
    }
    guard error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError else { return nil }
    // The library's errors name their cause in their text alone.
    let text = "\(error)"
    if text.contains("CERTIFICATE_VERIFY_FAILED") {
      return
        "the server's certificate is not trusted: it is expired, self-signed, or of an authority that is "
        + "not among the trusted ones (\(text))"
    }
    if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
      return "the server does not speak TLS; a URL that begins with ws:// does without (\(text))"
    }
    if text.contains("EOF during handshake") {
      return "the server ended the connection while it was being secured"
    }
    return text
  }
}
