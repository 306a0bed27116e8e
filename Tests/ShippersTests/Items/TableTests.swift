import AWS
import Base
import Glibc
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// DynamoDB's answers, as a table hears them.
@Suite struct DynamoTableTests {
  private let answerTime = someTime / 1_000_000

  private func table(_ answer: @escaping ScriptedTransport.Answerer) throws -> (
    DynamoTable, ScriptedTransport
  ) {
    let transport = ScriptedTransport(answer)
    let client = DynamoDBClient(try transport.client())
    return (DynamoTable(client: client, name: "t", clock: TableClock { .zero }) { someTime }, transport)
  }

  private static func description(
    hash: String = "stream_type", type: String = "S", range: String? = "iso_timestamp"
  )
    -> String
  {
    let rangeKey = range.map { ",{\"AttributeName\":\"\($0)\",\"KeyType\":\"RANGE\"}" } ?? ""
    let rangeType = range.map { ",{\"AttributeName\":\"\($0)\",\"AttributeType\":\"S\"}" } ?? ""
    return """
      {"Table":{"TableName":"t","TableStatus":"ACTIVE",\
      "KeySchema":[{"AttributeName":"\(hash)","KeyType":"HASH"}\(rangeKey)],\
      "AttributeDefinitions":[{"AttributeName":"\(hash)","AttributeType":"\(type)"}\(rangeType)]}}
      """
  }

  @Test func `an accepted item tells the table's time`() async throws {
    let (table, transport) = try table { _, _ in .answer(200, [:], "{}") }
    #expect(try await table.write(Array("{\"x\":1}".utf8)) == nil)
    for (ttl, hasPassed) in [(answerTime, true), (answerTime + 1, false)] {
      let found = try await table.clock.hasPassed(ttl, own: answerTime) {
        Issue.record("the table need not be asked")
        return nil
      } say: { _ in
      }
      #expect(found == hasPassed)
    }
    #expect(transport.requests.count == 1)
    #expect(transport.requests[0].headers["X-Amz-Target"] == "DynamoDB_20120810.UpdateItem")
    #expect(transport.requests[0].body == Array("{\"x\":1}".utf8))
  }

  @Test func `a table is asked for its time by describing it`() async throws {
    let (table, transport) = try table { _, _ in .answer(200, [:], Self.description()) }
    #expect(try await table.askDate() == answerTime)
    #expect(transport.requests[0].headers["X-Amz-Target"] == "DynamoDB_20120810.DescribeTable")
    #expect(transport.requests.count == 1)
  }

  @Test(arguments: [
    HTTPResponse(status: 200, body: Array(description().utf8)),
    HTTPResponse(
      status: 400, head: Array("Date: yesterday\r\n\r\n".utf8),
      body: Array("{\"__type\":\"AccessDeniedException\"}".utf8)),
  ])
  func `an answer without a Date tells none`(answer: HTTPResponse) async throws {
    let (table, _) = try table { _, _ in answer }
    #expect(try await table.askDate() == nil)
  }

  @Test func `a page of somebody else is no answer`() async throws {
    let (table, _) = try table { _, _ in .answer(403, [:], "<html>Blocked</html>") }
    await #expect(throws: AWSError.self) { try await table.askDate() }
  }

  @Test func `a refusal to describe tells the time too`() async throws {
    let (table, _) = try table { _, _ in .dynamoError(400, "AccessDeniedException") }
    #expect(try await table.askDate() == answerTime)
  }

  @Test(arguments: [
    ("The parameter cannot be converted to a numeric value: NaN", ItemRefusal.Blame.value),
    ("Number overflow. Attempting to store a number with magnitude larger than supported range", .value),
    ("Attempting to store more than 38 significant digits in a Number", .value),
    ("Item size to update has exceeded the maximum allowed size", .value),
    (
      "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
      .value
    ),
    (
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
        + "empty string value. Key: stream_type", .value
    ),
    ("The provided key element does not match the schema", .keys),
    ("One or more parameter values were invalid: Missing the key a in the item", .keys),
    (
      "One or more parameter values were invalid: Type mismatch for Index Key symbol Expected: N Actual: S "
        + "IndexName: by_symbol", .index
    ),
    (
      "A value specified for a secondary index key is not supported. The AttributeValue for a key attribute "
        + "cannot contain an empty string value. IndexName: by_symbol, IndexKey: symbol", .item
    ),
    ("Something new", .item),
  ])
  func `what is refused as invalid tells what is to blame`(message: String, blame: ItemRefusal.Blame)
    async throws
  {
    let (table, _) = try table { _, _ in .dynamoError(400, "ValidationException", message) }
    let refusal = try #require(try await table.write([]))
    #expect(refusal.blame == blame)
    #expect(refusal.cause.contains(message.prefix(200)))
  }

  @Test func `what cannot be read blames the item`() async throws {
    let (table, _) = try table { _, _ in .dynamoError(400, "SerializationException", "Unexpected token") }
    #expect(try await table.write([])?.blame == .item)
  }

  @Test(arguments: [
    (400, "ProvisionedThroughputExceededException"), (400, "ThrottlingException"),
    (400, "AccessDeniedException"),
    (400, "ResourceNotFoundException"), (500, "InternalServerError"), (400, "ExpiredTokenException"),
  ])
  func `every other answer is an error`(status: Int, code: String) async throws {
    let (table, _) = try table { _, _ in .dynamoError(status, code) }
    let error = await #expect(throws: AWSError.self) { try await table.write([]) }
    #expect(error?.code.rawValue == code)
  }

  @Test(arguments: [
    (DynamoTableTests.description(), true), (DynamoTableTests.description(hash: "symbol"), false),
    (DynamoTableTests.description(type: "N"), false), (DynamoTableTests.description(range: nil), false),
    (DynamoTableTests.description(range: "time"), false),
  ])
  func `the keys must be the ones items are made for`(description: String, areRight: Bool) async throws {
    let (table, _) = try table { _, _ in .answer(200, [:], description) }
    #expect(try await table.hasRightKeys() == areRight)
  }

  /// The whole sink over the service's answers.
  @Test func `throttling slows down and everything arrives`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(200))
      let (table, transport) = try table { request, number in
        if number % 3 == 0 { return .dynamoError(400, "ProvisionedThroughputExceededException") }
        _ = try Item(request.body)
        return .answer(200, [:], "{}")
      }
      let end = try await rig.drain(rig.shipping(to: table, concurrency: 10))
      #expect(end.next == offset(201))
      #expect(transport.requests.count >= 299)
      #expect(rig.logs.entries.contains { $0.metadata["doing"] == "write the item" })
    }
  }
}

@Suite struct LocalTableTests {
  private static let miniTicker = """
    {"e":"24hrMiniTicker","E":1665778598188,"s":"BTC\\u00fc","c":"1.50","o":"2","h":"3","l":"4","v":"5","q":"6"}
    """

  private func rows(_ path: String) throws -> [String] {
    let connection = try SQLiteConnection(path: path, access: .readOnly)
    let statement = try connection.prepare("SELECT * FROM items ORDER BY 1, 2")
    var rows: [String] = []
    while try statement.step() {
      rows.append((0..<13).map { statement.optionalText($0) ?? "-" }.joined(separator: "|"))
    }
    return rows
  }

  private func request(_ table: LocalTable, _ payload: String, receivedAt: Int64 = someTime) throws
    -> LocalTable.Request
  {
    var batch = TickBatch()
    batch.append(receivedAt: receivedAt, eventTime: nil, stream: "btcusdt@miniTicker", payload: payload)
    return try table.request(batch, batch.entries[0], retentionDays: 1)
  }

  @Test func `an item has a column for each attribute`() async throws {
    try await withTemporaryFolder { folder in
      let table = try LocalTable(path: folder + "/table.db", wall: { someTime })
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      #expect(
        try rows(folder + "/table.db") == [
          "btcusdt@miniTicker|2022-10-14T20-16-38.188000Z|24hrMiniTicker|1665778598188|BTCü|1.50|2|3|4|5|6|-|"
            + "\(someTime / 1_000_000 + 86_400)"
        ])
      try await table.close()
    }
  }

  @Test func `writing again changes nothing`() async throws {
    try await withTemporaryFolder { folder in
      let table = try LocalTable(path: folder + "/table.db", wall: { someTime })
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      let once = try rows(folder + "/table.db")
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      #expect(try rows(folder + "/table.db") == once)
      try await table.close()
    }
  }

  @Test func `a backlog of many at once arrives whole`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3_000))
      let table = try LocalTable(path: rig.folder + "/table.db", wall: { someTime })
      let end = try await rig.drain(rig.shipping(to: table, concurrency: 100))
      #expect(end.next == offset(3_001))
      #expect(try rows(rig.folder + "/table.db").count == 3_000)
      try await table.close()
    }
  }

  @Test func `a table that cannot be opened is tried again`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3))
      let table = try LocalTable(path: rig.folder + "/later/table.db", wall: { someTime })
      try await rig.beside(rig.shipping(to: table)) {
        try await expectEventually { rig.clock.sleeps.count > 3 }
        try LocalFolder.makeFolder(rig.folder + "/later")
        try await expectEventually { try await rig.next(.dynamodb) == offset(4) }
      }
      try await table.close()
    }
  }

  /// What another process holds while it writes.
  private func takeTurn(_ folder: String) throws -> Int32 {
    let descriptor = open(folder + "/table.db.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    return descriptor
  }

  /// Said, because programs that other tests start have the descriptor, too, for a moment.
  private func giveTurn(_ descriptor: Int32) {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  @Test func `while another process writes a table waits`() async throws {
    try await withTemporaryFolder { folder in
      let other = try takeTurn(folder)
      let pauses = Mutex(0)
      let turn = FileTurn(of: folder + "/table.db") {
        #expect(access(folder + "/table.db", F_OK) != 0, "not even the file is made")
        pauses.withLock { pauses in
          pauses += 1
          if pauses == 3 { giveTurn(other) }
        }
      }
      let table = try LocalTable(path: folder + "/table.db", wall: { someTime }, turn: turn)
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      #expect(pauses.withLock { $0 } == 3)
      #expect(try rows(folder + "/table.db").count == 1)
      try await table.close()
    }
  }

  @Test func `a turn that does not come is an error and the next write goes on`() async throws {
    try await withTemporaryFolder { folder in
      let table = try LocalTable(
        path: folder + "/table.db", wall: { someTime }, turn: FileTurn(of: folder + "/table.db") {})
      let trade = #"{"e":"trade","E":1665778598188,"s":"BTCUSDT","t":1}"#
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      let other = try takeTurn(folder)
      let error = await #expect(throws: SystemError.self) { try await table.write(request(table, trade)) }
      #expect(error?.description.contains("another process that writes beside") == true)
      #expect(try rows(folder + "/table.db").count == 1)
      giveTurn(other)
      #expect(try await table.write(request(table, trade)) == nil)
      // The turn is over with the write, not with the table.
      giveTurn(try takeTurn(folder))
      #expect(try rows(folder + "/table.db").count == 2)
      try await table.close()
    }
  }

  @Test(arguments: [["", "-wal", "-shm"], [""], ["-wal"]])
  func `what is written to files that have lost their names does not count`(taken: [String]) async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/table.db"
      let table = try LocalTable(path: path, wall: { someTime })
      #expect(try await table.write(request(table, Self.miniTicker)) == nil)
      for suffix in taken { #expect(unlink(path + suffix) == 0) }
      let trade = #"{"e":"trade","E":1665778598188,"s":"BTCUSDT","t":1}"#
      let error = await #expect(throws: LocalTable.FileTaken.self) {
        try await table.write(request(table, trade))
      }
      #expect(error?.description.contains(path) == true)
      #expect(try await table.write(request(table, trade)) == nil)
      #expect(try rows(path).count == (taken == ["-wal"] ? 2 : 1))
      try await table.close()
    }
  }
}
