/// One HTTP/1.1 request.
public struct HTTPRequest: Sendable {
  public enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
  }

  public var method: Method
  public var endpoint: Endpoint
  /// Percent-encoded, sent as it is: neither `..` nor `//` is resolved.
  public var path: String
  /// Percent-encoded, without `?`; empty for none.
  public var query: String
  public var headers: HTTPHeaders
  public var body: [UInt8]
  /// An answer with a longer body is given up with `TransportError.Code.responseTooLarge`.
  public var maximumResponseBytes: Int
  /// The whole exchange's limit in place of the transport's.
  public var timeout: Duration?

  public init(
    _ method: Method, _ endpoint: Endpoint, path: String = "/", query: String = "",
    headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [], maximumResponseBytes: Int = 1 << 20,
    timeout: Duration? = nil
  ) {
    self.method = method
    self.endpoint = endpoint
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.maximumResponseBytes = maximumResponseBytes
    self.timeout = timeout
  }
}
