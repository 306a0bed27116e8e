import Base
import CCurl
import CGlibc
import Glibc

/// One easy handle with the memory that curl reads from and writes to, used for one transfer after the other.
///
/// Only curl's thread touches it. Options that stay are set once; a transfer sets what differs from the one before.
final class CurlEasy {
  private static let maximumHeadBytes = 64 << 10
  /// Larger request buffers are given back after the transfer.
  private static let keptBufferBytes = 256 << 10

  let easy: UnsafeMutableRawPointer
  private let configuration: TransportConfiguration
  private let sockets: CurlSockets
  private let errorText: UnsafeMutablePointer<CChar>
  private var buffer: UnsafeMutableBufferPointer<UInt8>
  private var lines: UnsafeMutableBufferPointer<curl_slist>

  private var url = ""
  private var method: HTTPRequest.Method?
  /// As it is set; nil before the first transfer.
  private var proxy: String?
  private var timeout: Duration?

  private(set) var submission: CurlMailbox.Submission?
  private var maximumBytes = 0
  private var head: [UInt8] = []
  private var body: [UInt8] = []
  private var isTooLarge = false
  /// The value of `errno` with which the last socket could not be made; curl does not note it.
  private var socketError: Int32 = 0

  /// - Parameter sockets: is told of the sockets that are made and closed; it must live as long as the connections.
  init(_ configuration: TransportConfiguration, _ sockets: CurlSockets) throws(TransportError) {
    guard let easy = curl_easy_init() else {
      throw TransportError(code: .failed, origin: "curl", detail: "no handle")
    }
    self.easy = easy
    self.configuration = configuration
    self.sockets = sockets
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(to: 0)
    buffer = .allocate(capacity: 4 << 10)
    lines = .allocate(capacity: 32)
    try setLastingOptions()
  }

  deinit {
    curl_easy_cleanup(easy)
    errorText.deallocate()
    buffer.deallocate()
    lines.deallocate()
  }

  /// Makes the handle ready for `curl_multi_add_handle`.
  func prepare(_ submission: CurlMailbox.Submission) throws(TransportError) {
    self.submission = submission
    let request = submission.transfer.request
    maximumBytes = request.maximumResponseBytes
    head = []
    body = []
    isTooLarge = false
    socketError = 0
    errorText.pointee = 0
    guard request.headers.isWellFormed, request.path.first == "/", Self.isPlain(request.path),
      Self.isPlain(request.query)
    else {
      throw failure(.invalidRequest, "a header, the path or the query has a byte that may not be there")
    }
    try setTarget(request)
    try setMethod(request.method)
    try setContent(request)
  }

  /// Ends the transfer and gives what its task gets.
  func finish(_ result: CURLcode) -> Result<HTTPResponse, any Error> {
    defer { release() }
    guard result == CURLE_OK else { return .failure(failure(result)) }
    var status = 0
    curl_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    return .success(HTTPResponse(status: status, head: head, body: body))
  }

  /// Forgets the transfer.
  func release() {
    submission = nil
    head = []
    body = []
    if buffer.count > Self.keptBufferBytes {
      buffer.deallocate()
      buffer = .allocate(capacity: 4 << 10)
    }
  }

  private func setLastingOptions() throws(TransportError) {
    // A failing option would leave TLS unverified or a limit unset, so each is checked.
    func set(_ result: CURLcode) throws(TransportError) {
      guard result == CURLE_OK else { throw failure(result) }
    }
    func set(_ option: CURLoption, _ value: Int) throws(TransportError) {
      try set(curl_easy_set_long(easy, option, value))
    }
    let this = Unmanaged.passUnretained(self).toOpaque()
    try set(curl_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText))
    try set(curl_easy_set_pointer(easy, CURLOPT_PRIVATE, this))
    try set(curl_easy_set_pointer(easy, CURLOPT_WRITEDATA, this))
    try set(curl_easy_set_pointer(easy, CURLOPT_HEADERDATA, this))
    try set(
      curl_easy_set_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, this in
        CurlEasy.from(this).receive(bytes, size * count)
      })
    try set(
      curl_easy_set_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, this in
        CurlEasy.from(this).receiveHeader(bytes, size * count)
      })
    try set(curl_easy_set_pointer(easy, CURLOPT_OPENSOCKETDATA, this))
    try set(
      curl_easy_set_open_socket(easy) { this, _, address in
        guard let address else { return CURL_SOCKET_BAD }
        return CurlEasy.from(this).openSocket(address.pointee)
      })
    // A connection outlives the handle that it was made for.
    try set(
      curl_easy_set_pointer(
        easy, CURLOPT_CLOSESOCKETDATA, Unmanaged.passUnretained(sockets).toOpaque()))
    try set(
      curl_easy_set_close_socket(easy) { sockets, socket in
        CurlSockets.from(sockets).closing(socket)
        return Glibc.close(socket)
      })
    try set(curl_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https"))
    try set(curl_easy_set_string(easy, CURLOPT_USERAGENT, configuration.userAgent))
    // Set even when empty: an unset one makes libcurl read the process's environment.
    try set(curl_easy_set_string(easy, CURLOPT_NOPROXY, configuration.noProxy))
    if let bundle = configuration.caBundle { try set(curl_easy_set_string(easy, CURLOPT_CAINFO, bundle)) }
    try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    try set(CURLOPT_SSL_VERIFYPEER, 1)
    try set(CURLOPT_SSL_VERIFYHOST, 2)
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_PATH_AS_IS, 1)
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    try set(CURLOPT_TCP_KEEPALIVE, 1)
    // Signals belong to the process, and a transfer given up while a name is looked up must not make all others
    // wait for the resolver.
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_QUICK_EXIT, 1)
    try set(CURLOPT_CONNECTTIMEOUT_MS, configuration.connectTimeout.wholeMilliseconds)
    try set(CURLOPT_MAXLIFETIME_CONN, max(1, configuration.maximumLifetime.wholeMilliseconds / 1_000))
    try set(CURLOPT_DNS_CACHE_TIMEOUT, configuration.addressLifetime.wholeMilliseconds / 1_000)
    try set(CURLOPT_MAXAGE_CONN, max(1, configuration.maximumIdle.wholeMilliseconds / 1_000))
  }

  private func setTarget(_ request: HTTPRequest) throws(TransportError) {
    let endpoint = request.endpoint
    let configured = endpoint.scheme == .https ? configuration.httpsProxy : configuration.httpProxy
    // Empty for none: an unset one makes libcurl read the process's environment.
    let wanted = request.usesProxy ? configured ?? "" : ""
    if proxy != wanted {
      try check(curl_easy_set_string(easy, CURLOPT_PROXY, wanted))
      proxy = wanted
    }
    var target = "\(endpoint.description)\(request.path)"
    if !request.query.isEmpty { target += "?\(request.query)" }
    if target != url {
      guard Endpoint.isHost(endpoint.host) else { throw failure(.invalidRequest, "that is no host") }
      try check(curl_easy_set_string(easy, CURLOPT_URL, target))
      url = target
    }
    let limit = request.timeout ?? configuration.timeout
    if timeout != limit {
      try check(curl_easy_set_long(easy, CURLOPT_TIMEOUT_MS, max(1, limit.wholeMilliseconds)))
      timeout = limit
    }
  }

  private func setMethod(_ wanted: HTTPRequest.Method) throws(TransportError) {
    guard wanted != method else { return }
    try check(curl_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, nil))
    switch wanted {
    case .get, .delete: try check(curl_easy_set_long(easy, CURLOPT_HTTPGET, 1))
    case .head: try check(curl_easy_set_long(easy, CURLOPT_NOBODY, 1))
    // As a POST of memory under another name a PUT leaves in one piece with its headers, and curl can send it
    // again by itself when a kept connection turns out to be closed.
    case .post, .put: try check(curl_easy_set_long(easy, CURLOPT_POST, 1))
    }
    if wanted == .put || wanted == .delete {
      try check(curl_easy_set_string(easy, CURLOPT_CUSTOMREQUEST, wanted.rawValue))
    }
    method = wanted
  }

  /// Copies headers and body into memory that stays where it is until the transfer ends.
  private func setContent(_ request: HTTPRequest) throws(TransportError) {
    var headers = request.headers
    // Headers that curl would add by itself: unsigned, or for Expect a round trip more.
    if !headers.contains("Expect") { headers.omit("Expect") }
    if !headers.contains("Accept") { headers.omit("Accept") }
    if !headers.contains("Content-Type") { headers.omit("Content-Type") }

    let bodyStart = headers.bytes.count
    // One byte more: curl takes a null pointer for "ask the read function", even with no bytes to send.
    let needed = bodyStart + request.body.count + 1
    if buffer.count < needed {
      buffer.deallocate()
      buffer = .allocate(capacity: max(needed, 2 * buffer.count))
    }
    if lines.count < headers.lineStarts.count {
      lines.deallocate()
      lines = .allocate(capacity: headers.lineStarts.count * 2)
    }
    _ = buffer.update(fromContentsOf: headers.bytes)
    _ = buffer[bodyStart...].update(fromContentsOf: request.body)

    guard let bytes = buffer.baseAddress, let line = lines.baseAddress else {
      preconditionFailure("no buffer")
    }
    for (index, start) in headers.lineStarts.enumerated() {
      let text = UnsafeMutableRawPointer(bytes + start).assumingMemoryBound(to: CChar.self)
      let isLast = index + 1 == headers.lineStarts.count
      (line + index).initialize(to: curl_slist(data: text, next: isLast ? nil : line + index + 1))
    }
    try check(curl_easy_set_pointer(easy, CURLOPT_HTTPHEADER, line))
    if request.method == .post || request.method == .put {
      try check(curl_easy_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
      try check(curl_easy_set_pointer(easy, CURLOPT_POSTFIELDS, bytes + bodyStart))
    }
  }

  private static func from(_ this: UnsafeMutableRawPointer?) -> CurlEasy {
    guard let this else { preconditionFailure("curl lost its user data") }
    return Unmanaged<CurlEasy>.fromOpaque(this).takeUnretainedValue()
  }

  private func openSocket(_ address: curl_sockaddr) -> curl_socket_t {
    let socket = socket_by_whole_registers(
      Int(address.family), Int(address.socktype | Int32(SOCK_CLOEXEC.rawValue)), Int(address.protocol))
    socketError = socket < 0 ? errno : 0
    if socket >= 0 { sockets.opened(socket) }
    return socket
  }

  private func receive(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    guard body.count + count <= maximumBytes else {
      isTooLarge = true
      return 0
    }
    body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
    return count
  }

  private func receiveHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    let line = UnsafeRawBufferPointer(start: bytes, count: count)
    guard head.count + count <= Self.maximumHeadBytes else {
      isTooLarge = true
      return 0
    }
    // A new status line after an interim answer: only the last answer's headers count.
    if line.starts(with: "HTTP/".utf8) {
      head.removeAll(keepingCapacity: true)
      if head.capacity == 0 { head.reserveCapacity(512) }
    } else {
      head.append(contentsOf: line)
    }
    return count
  }

  private func check(_ result: CURLcode) throws(TransportError) {
    guard result == CURLE_OK else { throw failure(result) }
  }

  private func failure(_ result: CURLcode) -> TransportError {
    if isTooLarge { return failure(.responseTooLarge, "") }
    let code = TransportError.Code(result)
    // Where curl quotes a URL it may be a proxy's, with a password in it.
    let text = String(cString: errorText)
    let own = text.contains("://") ? "" : text
    let detail = own.isEmpty ? String(cString: curl_easy_strerror(result)) : own
    return failure(code, systemError.map { "\(detail) (\($0))" } ?? detail)
  }

  /// The name of the system's error behind the failure, if there is one.
  private var systemError: String? {
    var code = 0
    if socketError != 0 {
      code = Int(socketError)
    } else {
      curl_easy_get_long(easy, CURLINFO_OS_ERRNO, &code)
    }
    return SystemError.name(Int32(truncatingIfNeeded: code))
  }

  private func failure(_ code: TransportError.Code, _ detail: String) -> TransportError {
    let endpoint = submission?.transfer.request.endpoint
    let origin = endpoint.map { "\($0.scheme.rawValue)://\($0.authority)" } ?? "curl"
    return TransportError(code: code, origin: origin, detail: detail)
  }

  private static func isPlain(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
  }
}

extension TransportError.Code {
  fileprivate init(_ result: CURLcode) {
    self =
      switch result {
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
      case CURLE_COULDNT_CONNECT, CURLE_PROXY: .connect
      case CURLE_OPERATION_TIMEDOUT: .timedOut
      case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: .connectionLost
      case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .malformedAnswer
      case CURLE_URL_MALFORMAT: .invalidRequest
      case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
        CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
        CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR,
        CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS:
        .tls
      default: .failed
      }
  }
}

extension Duration {
  var wholeMilliseconds: Int {
    Int(components.seconds) * 1_000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
