/// The transport over libcurl: one thread, kept-alive HTTP/1.1 connections, TLS 1.2 or newer, verified.
///
/// Reference: https://curl.se/libcurl/c/libcurl-multi.html
public final class CurlTransport: HTTPTransport {
  /// Starts the thread. Throws `TransportError` when curl or the thread cannot be set up.
  public init(_ configuration: TransportConfiguration = TransportConfiguration()) throws(TransportError) {
    fatalError("to come")
  }

  public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    fatalError("to come")
  }

  /// Finishes every waiting request with `TransportError.Code.closed` and ends the thread; waits for neither.
  /// Later requests are refused. Closing twice does nothing.
  public func close() {
    fatalError("to come")
  }
}
