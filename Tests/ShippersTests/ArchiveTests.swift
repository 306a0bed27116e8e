import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// Looking at what is at a destination.
@Suite struct ArchiveTests {
  private func keys(_ listing: any ObjectListing) async throws -> [String] {
    var keys: [String] = []
    while let page = try await listing.next() { keys += page }
    return keys
  }

  @Test func `a folder is walked wholly and without what has no name yet`() async throws {
    try await withTemporaryFolder { (folder) async throws in
      let store = try LocalObjectStore(root: folder + "/objects")
      #expect(try await keys(store.listing(under: "p")) == [])
      var expected: Set<String> = []
      for number in 0..<2_500 {
        let key = "p/dt=\(number % 3)/\(number)"
        let path = folder + "/objects/" + key
        try FileManager.default.createDirectory(
          atPath: folder + "/objects/p/dt=\(number % 3)", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: path))
        expected.insert(key)
      }
      try FileManager.default.createDirectory(
        atPath: folder + "/objects/.tmp", withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: folder + "/objects/.tmp/1-x.part"))
      try Data().write(to: URL(fileURLWithPath: folder + "/objects/other"))
      let found = try await keys(store.listing(under: "p"))
      #expect(found.count == expected.count)
      #expect(Set(found) == expected)
      #expect(Set(try await keys(store.listing(under: ""))) == expected.union(["other"]))
    }
  }

  @Test func `contents are hashed as they can be read`() async throws {
    let text = Array("{\"a\":1}\n".utf8)
    let hash = SHA256.hash(text).hex
    #expect(ObjectContent(text, key: "x.jsonl").sha256 == hash)
    var deflate = Deflate(level: 6)
    text.withUnsafeBufferPointer { deflate.add($0) }
    deflate.finish()
    let compressed = deflate.output
    #expect(ObjectContent(compressed, key: "x.jsonl.gz").sha256 == hash)
    #expect(ObjectContent(Array(compressed.dropLast()), key: "x.jsonl.gz").sha256 == nil)
    // Handed out unpacked.
    #expect(ObjectContent(text, key: "x.jsonl.gz").sha256 == hash)
  }

  private static let keys = (1...3).map { ItemKey(streamType: "s", isoTimestamp: "\($0)") }

  private static func item(_ key: String) -> String {
    #"{"stream_type":{"S":"s"},"iso_timestamp":{"S":"\#(key)"},"close_price":{"N":"1.5"},"more":{"BOOL":true}}"#
  }

  @Test func `keys that the table did not get to are asked again`() async throws {
    let transport = ScriptedTransport { request, number in
      let body = String(decoding: request.body, as: UTF8.self)
      #expect(request.headers["X-Amz-Target"] == "DynamoDB_20120810.BatchGetItem")
      #expect(body.contains(#""ConsistentRead":true"#))
      guard number > 1 else {
        let rest = #"{"stream_type":{"S":"s"},"iso_timestamp":{"S":"3"}}"#
        return .answer(
          200, [:],
          #"{"Responses":{"t":[\#(Self.item("1"))]},"UnprocessedKeys":{"t":{"Keys":[\#(rest)]}}}"#)
      }
      #expect(body.contains(#"{"S":"3"}"#) && !body.contains(#"{"S":"2"}"#))
      return .answer(200, [:], #"{"Responses":{"t":[\#(Self.item("3"))]},"UnprocessedKeys":{}}"#)
    }
    let table = DynamoTable(client: DynamoDBClient(try transport.client()), name: "t")
    let found = try await table.items(under: Self.keys)
    #expect(Set(found.keys) == [Self.keys[0], Self.keys[2]])
    #expect(found[Self.keys[0]]?[.closePrice] == "1.5")
    #expect(transport.requests.count == 2)
  }

  @Test func `a table that reads nothing is throttling`() async throws {
    let transport = ScriptedTransport { _, _ in
      let keys = Self.keys.map { #"{"stream_type":{"S":"s"},"iso_timestamp":{"S":"\#($0.isoTimestamp)"}}"# }
      return .answer(
        200, [:],
        #"{"Responses":{"t":[]},"UnprocessedKeys":{"t":{"Keys":[\#(keys.joined(separator: ","))]}}}"#)
    }
    let table = DynamoTable(client: DynamoDBClient(try transport.client()), name: "t")
    let error = await #expect(throws: AWSError.self) { _ = try await table.items(under: Self.keys) }
    #expect(error?.kind == .throttled)
    #expect(transport.requests.count == 1)
  }
}
