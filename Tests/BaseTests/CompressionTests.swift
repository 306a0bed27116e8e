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
        let isOver = inflate.isAtEnd
        #expect(!isOver)
        let isTaken = inflate.add(rest.prefix(size), to: &out)
        #expect(isTaken)
        rest = rest.dropFirst(size)
      }
      let isAtEnd = inflate.isAtEnd
      #expect(isAtEnd)
      #expect(out == Array(text.utf8))
    }
  }

  @Test(arguments: [
    (0, "1f8b0800000000000403010300fcff616263c241243503000000"),
    (1, "1f8b08000000000004034b4c4a0600c241243503000000"),
    (6, "1f8b08000000000000034b4c4a0600c241243503000000"),
    (9, "1f8b08000000000002034b4c4a0600c241243503000000"),
  ])
  func `a stream is what zlib's own gzip makes of it`(level: Int, bytes: String) {
    var deflate = Deflate(level: level)
    for piece in ["a", "", "bc"] { Array(piece.utf8).withUnsafeBufferPointer { deflate.add($0) } }
    deflate.finish()
    let hex = deflate.output.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    #expect(hex == bytes)
  }

  @Test func `what follows a stream's end is another stream, or no gzip where there is to be one`() {
    let body = gzip("a") + gzip("b")
    var joining = Inflate(joinsStreams: true)
    var out: [UInt8] = []
    let joined = joining.add(body[...], to: &out) && joining.isAtEnd
    #expect(joined)
    #expect(out == Array("ab".utf8))
    var single = Inflate(joinsStreams: false)
    let isOne = single.add(body[...], to: &out)
    #expect(!isOne)
  }

  @Test func `what unpacks to a thousand times its size comes out in pieces`() {
    let text = String(repeating: "0", count: 8 << 20)
    var rest = gzip(text)[...]
    #expect(rest.count < 16 << 10)
    var inflate = Inflate(joinsStreams: false)
    var total = 0
    var out: [UInt8] = []
    repeat {
      let isTaken = inflate.add(&rest, to: &out, atMost: 100_000)
      #expect(isTaken && out.count <= 100_000 + 64 << 10)
      total += out.count
      out.removeAll()
    } while inflate.isPending || !rest.isEmpty
    let isAtEnd = inflate.isAtEnd
    #expect(isAtEnd && total == text.utf8.count)
  }

  @Test func `no gzip, and half of one, are not taken for whole`() {
    var out: [UInt8] = []
    var none = Inflate(joinsStreams: true)
    let isGzip = none.add(Array("plain".utf8)[...], to: &out)
    #expect(!isGzip)
    var half = Inflate(joinsStreams: true)
    let isWhole = half.add(gzip("abc").dropLast(4), to: &out) && half.isAtEnd
    #expect(!isWhole)
  }
}
