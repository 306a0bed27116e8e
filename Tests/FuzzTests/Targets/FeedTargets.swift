import Base
import NIOCore

@testable import Ingest

extension FuzzTarget {
  /// The server's answer to the upgrade: however it is cut, the same comes of it.
  static let handshake = FuzzTarget("handshake", longest: 2_048) { input in
    let whole = upgrade([input.bytes[...]])
    let cut = upgrade(pieces(input.bytes))
    try hold(whole.code == cut.code, "\(whole) whole, \(cut) in pieces")
    try hold(whole.left == cut.left, "another rest: \(whole.left) and \(cut.left)")
    try hold(whole.said.utf8.count <= 1_200, "a reason of \(whole.said.utf8.count) bytes")
  }

  private static func upgrade(
    _ pieces: [ArraySlice<UInt8>]
  ) -> (code: FeedError.Code?, left: [UInt8], said: String) {
    var handshake = Handshake(host: "h", target: "/", key: "dGhlIHNhbXBsZSBub25jZQ==")
    var buffer = ByteBuffer()
    var isUpgraded = false
    do {
      for piece in pieces {
        buffer.writeBytes(piece)
        if !isUpgraded { isUpgraded = try handshake.receive(&buffer) == .upgraded }
      }
    } catch {
      return (error.code, [], error.description)
    }
    guard isUpgraded else {
      let error = handshake.end(&buffer)
      return (error.code, [], error.description)
    }
    return (nil, Array(buffer.readableBytesView), "")
  }

  /// A server's frames: however they are cut, the same comes of them, and no more than there is.
  static let frames = FuzzTarget("frames") { input in
    let whole = read([input.bytes[...]])
    let cut = read(pieces(input.bytes))
    try hold(whole.items == cut.items && whole.code == cut.code, "\(whole) whole, \(cut) in pieces")
    let size = whole.items.reduce(0) { sum, item in
      switch item {
      case .message(let buffer, _), .ping(let buffer), .pong(let buffer): sum + buffer.readableBytes
      case .close(_, let reason): sum + reason.utf8.count
      }
    }
    try hold(size <= input.count, "\(size) bytes of \(input.count)")
    // As a message it comes back, in fragments as the input says, with a ping in between.
    let parts = pieces(input.bytes)
    var sent: [UInt8] = []
    for (place, part) in parts.enumerated() {
      let isLast = place == parts.count - 1
      sent +=
        [(isLast ? 0x80 : 0) | (place == 0 ? 0x02 : 0), UInt8(part.count)] + part
        + (isLast ? [] : [0x89, 0x01, 0x2a])
    }
    let back = read([sent[...]])
    let pings = max(0, parts.count - 1)
    let expected =
      Array(repeating: FrameReader.Item.ping(ByteBuffer(bytes: [0x2a])), count: pings)
      + (parts.isEmpty ? [] : [.message(ByteBuffer(bytes: input), isText: false)])
    try hold(back.code == nil && back.items == expected, "a message did not come back: \(back)")
  }

  private static func read(
    _ pieces: [ArraySlice<UInt8>]
  ) -> (items: [FrameReader.Item], code: FeedError.Code?) {
    var reader = FrameReader(maximumMessage: 1 << 20)
    var buffer = ByteBuffer()
    var items: [FrameReader.Item] = []
    do {
      for piece in pieces {
        buffer.writeBytes(piece)
        while let item = try reader.next(&buffer) { items.append(item) }
        _ = try reader.missing(in: buffer)
      }
    } catch {
      return (items, error.code)
    }
    return (items, nil)
  }

  /// An imported file: however it is cut, its lines are what lies between line ends.
  static let lines = FuzzTarget("lines") { input in
    let expected = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      Array($0)
    }
    var splitter = LineSplitter()
    var found: [[UInt8]] = []
    for piece in pieces(input.bytes) + [[]] {
      splitter.fill { $0 += piece }
      while let line = splitter.next(isLast: piece.isEmpty) {
        guard case .whole(let range) = line else { throw Broken("a short line is too long") }
        found.append(Array(splitter.bytes(range)))
      }
    }
    try hold(found == (expected.last == [] ? expected.dropLast() : expected), "other lines")
    try hold(splitter.position == input.count, "it ends at \(splitter.position)")
    if let mark = ImportMark(text: input.text) {
      try hold(
        mark.lines >= 0 && ImportMark(text: mark.text) == mark, "a mark that does not come back: \(mark)")
    }
  }

  /// The address of an exchange, from the settings.
  static let urls = FuzzTarget("urls", longest: 1_024) { input in
    let text = input.text
    let redacted = URLText.redacted(text)
    try hold(redacted.utf8.count <= text.utf8.count + 3 * (text.utf8.count + 1), "a long redacted URL")
    guard let url = try? URLText(text, schemes: ["ws", "wss", "http", "https"]) else { return }
    let isAddress = url.host.contains(":")
    let authority =
      (url.userInfo.map { $0 + "@" } ?? "") + (isAddress ? "[\(url.host)]" : url.host)
    let start = text.prefix(url.scheme.count) + "://" + authority
    try hold(text.hasPrefix(start), "its parts are not its own: \(start)")
    let end = url.path + (url.query.map { "?" + $0 } ?? "")
    try hold(text.hasSuffix(end), "its end is not its own: \(end)")
    let port = text.dropFirst(start.count).dropLast(end.count)
    try hold(
      url.port == nil ? port.isEmpty : port.drop { $0 == ":" || $0 == "0" } == "\(url.port ?? 0)",
      "port \(port)")
    try hold((1...65_535).contains(url.port ?? 1), "port \(url.port ?? 0)")
    if let password = url.userInfo, password.utf8.count > 3 {
      // A path and a list of streams may have the same word.
      try hold(!redacted.prefix { $0 != "?" }.contains(password + "@"), "a password is shown")
    }
    guard let endpoint = try? FeedEndpoint(url: text, testnet: false) else { return }
    let target = FeedTarget(endpoint: endpoint, streams: ["a@b", "!c@arr"])
    try hold(
      target.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "a target that is no line: \(target.text)")
    try hold(endpoint.hostHeader.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "a header that is no line")
  }
}
