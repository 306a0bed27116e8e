import Base
import Foundation
import Testing

@Suite struct Base64Tests {
  @Test func `it is what Foundation makes of the same bytes`() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 89 + 7) }
      var text = Array("before".utf8)
      bytes.withUnsafeBufferPointer { Base64.append($0, to: &text) }
      #expect(String(decoding: text, as: UTF8.self) == "before" + Data(bytes).base64EncodedString())
      #expect(text.count - 6 == Base64.length(of: count))
    }
  }
}
