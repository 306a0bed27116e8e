import ShippingFixtures
import Testing

@testable import Shippers

@Suite struct DestinationAddressTests {
  private func expectSame<A: DestinationAddress>(_ address: A) {
    #expect(A(json: address.json) == address)
  }

  @Test func `its text comes back as it was`() {
    expectSame(S3Address(endpoint: "https://s3.x", bucket: "b", prefix: "a/b"))
    expectSame(S3Address(endpoint: "http://127.0.0.1:1", bucket: "b", prefix: ""))
    expectSame(TableAddress(region: "r", table: "t"))
    expectSame(FolderAddress(folder: "/a b/\"ü\\"))
  }

  @Test func `equal places are equal texts`() {
    #expect(
      S3Address(endpoint: "e", bucket: "b", prefix: "p").json
        == "{\"endpoint\":\"e\",\"bucket\":\"b\",\"prefix\":\"p\"}")
    #expect(TableAddress(region: "r", table: "t").json == "{\"region\":\"r\",\"table\":\"t\"}")
    #expect(FolderAddress(folder: "/ü").json == "{\"folder\":\"/\\u00fc\"}")
  }

  @Test(arguments: ["", "{}", "[]", "{\"bucket\":\"b\"}", "{\"region\":1,\"table\":\"t\"}"])
  func `other texts are none`(text: String) {
    #expect(S3Address(json: text) == nil)
    #expect(TableAddress(json: text) == nil)
    #expect(FolderAddress(json: text) == nil)
  }

  @Test func `an address of another kind is none`() {
    #expect(S3Address(json: FolderAddress(folder: "/a").json) == nil)
    #expect(FolderAddress(json: S3Address(endpoint: "e", bucket: "b", prefix: "p").json) == nil)
  }
}
