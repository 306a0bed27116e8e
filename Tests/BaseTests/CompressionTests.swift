import Base
import Testing

@Suite struct CompressionTests {
  private func gzip(_ text: String) -> [UInt8] {
    var deflate = Deflate(level: 6)
    Array(text.utf8).withUnsafeBufferPointer { deflate.add($0) }
    deflate.finish()
    return deflate.output
  }

  @Test func `a stream is opened up to its end, in pieces of any size`() {
    let text = String(repeating: "btcusdt@miniTicker ", count: 20_000)
    let body = gzip(text)
    for size in [1, 7, 100_000] {
      var inflate = Inflate(joinsStreams: false)
      var out: [UInt8] = []
      var rest = body[...]
      while !rest.isEmpty {
        #expect(!inflate.isAtEnd)
        #expect(inflate.add(rest.prefix(size), to: &out))
        rest = rest.dropFirst(size)
      }
      #expect(inflate.isAtEnd)
      #expect(out == Array(text.utf8))
    }
  }

  @Test func `what follows a stream's end is another stream, or no gzip where there is to be one`() {
    let body = gzip("a") + gzip("b")
    var joining = Inflate(joinsStreams: true)
    var out: [UInt8] = []
    #expect(joining.add(body[...], to: &out))
    #expect(joining.isAtEnd)
    #expect(out == Array("ab".utf8))
    var single = Inflate(joinsStreams: false)
    #expect(!single.add(body[...], to: &out))
  }

  @Test func `no gzip, and half of one, are not taken for whole`() {
    var out: [UInt8] = []
    var none = Inflate(joinsStreams: true)
    #expect(!none.add(Array("plain".utf8)[...], to: &out))
    var half = Inflate(joinsStreams: true)
    #expect(half.add(gzip("abc").dropLast(4), to: &out))
    #expect(!half.isAtEnd)
  }
}
