import Base

/// Amazon S3, as far as it is needed here.
///
/// Every call throws `AWSError`, or `CancellationError`. Without `retry` it is tried once.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
package struct S3Client: Sendable {
  /// An upload may take this long and a second more for each `slowestBytesPerSecond`.
  private static let timeout = Duration.seconds(30)
  private static let slowestBytesPerSecond = 128 << 10
  private static let checksum = "x-amz-checksum-sha256"

  private let client: AWSClient
  private let put: Operation
  private let head: Operation
  private let get: Operation
  private let bucket: Operation
  private let list: Operation

  package init(_ client: AWSClient) {
    self.client = client
    let keys = SigningKeyCache(region: client.region, service: Service.s3.rawValue)
    put = Operation(name: "PutObject", service: .s3, signing: (.s3, keys))
    head = Operation(name: "HeadObject", service: .s3, signing: (.s3, keys))
    get = Operation(name: "GetObject", service: .s3, signing: (.s3, keys))
    bucket = Operation(name: "HeadBucket", service: .s3, signing: (.s3, keys))
    list = Operation(name: "ListObjectsV2", service: .s3, signing: (.s3, keys))
  }

  /// Whether it asks AWS itself, and not another store.
  package var isAtAWS: Bool { client.endpoints.isAtAWS(.s3) }
  package var endpoint: Endpoint { client.endpoints.endpoint(.s3, region: client.region) }

  /// Stores an object; it is durable when this returns.
  ///
  /// `headers` are signed and sent as they are: `Content-Type`, `Content-Encoding`, `If-None-Match`,
  /// `x-amz-meta-…`, `x-amz-checksum-sha256` (base64), which is compared with the answer's. The client's encryption
  /// is added. The body's SHA-256 is always signed. A failed `If-None-Match` throws with status 412, a conflict with 409 (retriable).
  package func putObject(
    bucket: String, key: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8],
    bodyDigest: Digest? = nil, retry: Retry = .never
  ) async throws -> S3Object {
    var request = request(.put, bucket: bucket, key: key, headers: headers)
    request.timeout = Self.timeout + .seconds(body.count / Self.slowestBytesPerSecond)
    request.body = body
    request.bodyDigest = bodyDigest
    client.objectEncryption?.add(to: &request.headers)
    let sent = headers[Self.checksum]
    let response = try await client.call(
      put, request, on: .object(bucket: bucket, key: key), retry: retry,
      damage: { response in
        guard let sent, response.status == 200, let stored = response.header(Self.checksum), stored != sent
        else {
          return nil
        }
        return "what was stored is not what was sent: its \(Self.checksum) is another"
      }, accepting: { $0.status == 200 && !$0.isPage })
    return S3Object(response)
  }

  /// The object stored under the key, without its content; nil when there is none (404), which a missing bucket
  /// looks like, too.
  package func headObject(bucket: String, key: String, retry: Retry = .never) async throws -> S3Object? {
    let request = request(.head, bucket: bucket, key: key)
    let response = try await client.call(head, request, on: .object(bucket: bucket, key: key), retry: retry) {
      ($0.status == 200 && $0.isFromStore) || $0.status == 404
    }
    return response.status == 404 ? nil : S3Object(response)
  }

  /// The object with its content; nil when there is none. A longer body than `maximumBytes` is an error.
  package func getObject(
    bucket: String, key: String, maximumBytes: Int = 1 << 20, retry: Retry = .never
  ) async throws -> (object: S3Object, body: [UInt8])? {
    var request = request(.get, bucket: bucket, key: key)
    request.maximumResponseBytes = maximumBytes
    request.timeout = Self.timeout + .seconds(maximumBytes / Self.slowestBytesPerSecond)
    let response = try await client.call(get, request, on: .object(bucket: bucket, key: key), retry: retry) {
      ($0.status == 200 && $0.isFromStore) || ($0.status == 404 && ServiceFault($0).code == "NoSuchKey")
    }
    return response.status == 404 ? nil : (S3Object(response), response.body)
  }

  /// Returns if the bucket is there, in this region, and the keys may list it; throws otherwise. The answer has no
  /// body, so the error's code is its status' name.
  ///
  /// - Returns: the bucket's region, if the answer says it.
  package func headBucket(
    _ name: String, retry: Retry = .never
  ) async throws -> (region: String?, answer: Answer) {
    let request = request(.head, bucket: name, key: "")
    let response = try await client.call(bucket, request, on: .bucket(name), retry: retry) {
      $0.status == 200
    }
    return (response.header("x-amz-bucket-region"), response.answer)
  }

  /// The next keys that begin with `prefix`, in the order of their bytes; a thousand at most.
  ///
  /// - Parameters:
  ///   - start: of the first page: keys that are not above it are left out.
  ///   - token: of the page before, `nil` for the first.
  ///
  /// Reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
  package func listObjects(
    bucket: String, prefix: String, after start: String? = nil, from token: String? = nil,
    retry: Retry = .never
  ) async throws -> S3Page {
    var request = request(.get, bucket: bucket, key: "")
    var query = "encoding-type=url&list-type=2"
    if let token { query = "continuation-token=\(PercentEncoding.whole(token))&" + query }
    if !prefix.isEmpty { query += "&prefix=\(PercentEncoding.whole(prefix))" }
    if let start { query += "&start-after=\(PercentEncoding.whole(start))" }
    request.query = query
    // A key has 1,024 bytes at most, and three times that when they are encoded.
    request.maximumResponseBytes = 8 << 20
    var page: S3Page?
    let response = try await client.call(list, request, on: .bucket(bucket), retry: retry) { response in
      guard response.status == 200 else { return false }
      page = S3Page(xml: String(decoding: response.body, as: UTF8.self), answer: response.answer)
      return page != nil
    }
    guard let page else {
      throw AWSError(.unexpectedAnswer, .transient, operation: list.name, status: response.status)
    }
    return page
  }

  private func request(
    _ method: HTTPRequest.Method, bucket: String, key: String, headers: HTTPHeaders = HTTPHeaders()
  ) -> HTTPRequest {
    let place = client.endpoints.object(bucket: bucket, key: key, region: client.region)
    var request = HTTPRequest(method, place.endpoint, path: place.path, headers: headers)
    request.headers.add("Host", place.endpoint.authority)
    return request
  }
}

extension HTTPResponse {
  /// A page that some proxy or portal sends with status 200, or an error that S3 sends with it.
  fileprivate var isPage: Bool {
    // Not by its Content-Type: some stores call an empty answer text/html.
    body.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) } == UInt8(ascii: "<")
  }

  /// Whether a success is the store's word: S3 names every object's ETag, and nothing that is kept here begins
  /// like a page.
  fileprivate var isFromStore: Bool { header("etag") != nil && !isPage }
}

/// An object's headers.
package struct S3Object: Sendable, Equatable {
  package var etag: String?
  package var versionID: String?
  /// Bytes, as stored.
  package var contentLength: Int?
  package var contentType: String?
  package var contentEncoding: String?
  /// `x-amz-meta-…`, names in lower case, without that prefix.
  package var metadata: [String: String]
  package var answer: Answer

  package init(
    etag: String? = nil, versionID: String? = nil, contentLength: Int? = nil, contentType: String? = nil,
    contentEncoding: String? = nil, metadata: [String: String] = [:], answer: Answer = Answer(date: nil)
  ) {
    self.etag = etag
    self.versionID = versionID
    self.contentLength = contentLength
    self.contentType = contentType
    self.contentEncoding = contentEncoding
    self.metadata = metadata
    self.answer = answer
  }

  init(_ response: HTTPResponse) {
    etag = response.header("etag")
    versionID = response.header("x-amz-version-id")
    contentLength = response.header("content-length").flatMap { DecimalDigits.parse($0, upTo: .max) }
    contentType = response.header("content-type")
    contentEncoding = response.header("content-encoding")
    metadata = response.headers(prefix: "x-amz-meta-")
    answer = response.answer
  }
}
