import Base

/// One HTTP/1.1 request.
package struct HTTPRequest: Sendable {
  package enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  package var method: Method
  package var endpoint: Endpoint
  /// Percent-encoded, sent as it is: neither `..` nor `//` is resolved.
  package var path: String
  /// Percent-encoded, without `?`; empty for none.
  package var query: String
  package var headers: HTTPHeaders
  package var body: [UInt8]
  /// The SHA-256 of the body where the caller has it already; it must be that of ``body``. Else the signer makes it,
  /// for each attempt anew.
  package var bodyDigest: Digest?
  /// An answer with a longer body is given up with `TransportError.Code.responseTooLarge`.
  package var maximumResponseBytes: Int
  /// The whole exchange's limit in place of the transport's.
  package var timeout: Duration?
  /// Whether the answer may lie unseen for a millisecond or two, to be taken up together with others.
  package var isPatient = false
  /// Whether the configured proxy is used; services on this machine's own link are asked without.
  package var usesProxy: Bool

  package init(
    _ method: Method, _ endpoint: Endpoint, path: String = "/", query: String = "",
    headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [], maximumResponseBytes: Int = 1 << 20,
    timeout: Duration? = nil, usesProxy: Bool = true
  ) {
    self.method = method
    self.endpoint = endpoint
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.maximumResponseBytes = maximumResponseBytes
    self.timeout = timeout
    self.usesProxy = usesProxy
  }
}
