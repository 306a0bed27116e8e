import Testing

@testable import Shippers

@Suite struct DestinationTests {
  @Test(arguments: [
    Destination.s3(endpoint: "https://s3.x", bucket: "b", prefix: "a/b"),
    .s3(endpoint: "http://127.0.0.1:1", bucket: "b", prefix: ""), .dynamodb(region: "r", table: "t"),
    .folder("/a b/\"ü\\"),
  ])
  func itsTextComesBackAsItWas(destination: Destination) {
    #expect(Destination(json: destination.json) == destination)
  }

  @Test func equalDestinationsAreEqualTexts() {
    #expect(
      Destination.s3(endpoint: "e", bucket: "b", prefix: "p").json
        == "{\"endpoint\":\"e\",\"bucket\":\"b\",\"prefix\":\"p\"}")
    #expect(Destination.dynamodb(region: "r", table: "t").json == "{\"region\":\"r\",\"table\":\"t\"}")
    #expect(Destination.folder("/ü").json == "{\"folder\":\"/\\u00fc\"}")
  }

  @Test(arguments: ["", "{}", "[]", "{\"bucket\":\"b\"}", "{\"region\":1,\"table\":\"t\"}"])
  func otherTextsAreNone(text: String) {
    #expect(Destination(json: text) == nil)
  }
}
