import Base

@testable import Ingest
@testable import tickwal

extension FuzzTarget {
  /// Numbers as they stand in headers, flags, settings and keys.
  static let numbers = FuzzTarget("numbers", longest: 64, mutations: 20_000) { input in
    let text = input.text
    let isDigits = !input.isEmpty && input.allSatisfy { (0x30...0x39).contains($0) }
    let expected = isDigits ? Int64(text) : nil
    try hold(DecimalDigits.parse(input, upTo: Int64.max) == expected, "not what the digits say")
    try hold(DecimalDigits.parse(text, upTo: Int64.max) == expected, "text and bytes do not agree")
    for limit in [0, 9, 255, 65_535] as [Int64] {
      let isWithin = expected.map { $0 <= limit } == true
      try hold(DecimalDigits.parse(input, upTo: limit) == (isWithin ? expected : nil), "above \(limit)")
    }
    try hold(
      DecimalDigits.parse(input, upTo: UInt8.max).map(Int64.init) == expected.flatMap { $0 < 256 ? $0 : nil },
      "a byte")
    if let fraction = DecimalDigits.fraction(text, upTo: 1e6) {
      try hold((0...1e6).contains(fraction) && !text.contains { !"0123456789.".contains($0) }, "\(fraction)")
    }
    if let retry = RetryAfter(text) {
      let wait = retry.wait(at: 1_795_000_000_000_000)
      try hold(.zero <= wait && wait <= RetryAfter.longest, "a wait of \(wait)")
    }
  }

  /// Dates of HTTP answers and of keys.
  static let dates = FuzzTarget("dates", longest: 64, mutations: 20_000) { input in
    let text = input.text
    if let seconds = HTTPDate.epochSeconds(input) {
      let time = CivilTime(epochSeconds: seconds)
      try hold((0...10_000).contains(time.year), "the year \(time.year)")
      // A leap second is the next minute's first.
      let isSame = time.day == Int(text.dropFirst(5).prefix(2)) || text.hasSuffix(":60 GMT")
      try hold(isSame, "another day than it says: \(time)")
    }
    if let seconds = RFC3339.epochSeconds(text) {
      try hold((-1...10_000).contains(CivilTime(epochSeconds: seconds).year), "the year of \(seconds)")
      let back = Timestamp.rfc3339(microseconds: Timestamp.clamped(microseconds: Int64(seconds) * 1_000_000))
      let isWithin = Timestamp.representable.contains(Int64(seconds) * 1_000_000)
      try hold(!isWithin || RFC3339.epochSeconds(back) == seconds, "\(back) is another moment")
    }
    // From any number: a time of the log, of an event.
    guard input.count >= 8 else { return }
    let number = input.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    let clamped = Timestamp.clamped(microseconds: number)
    try hold(Timestamp.dashed(microseconds: clamped).utf8.count == 27, "\(number)")
    let seconds = Int(number) / 1_000_000
    try hold(CivilTime(epochSeconds: seconds).epochSeconds == seconds, "\(seconds) does not come back")
  }

  /// Percent-encoding, both ways.
  static let percent = FuzzTarget("percent") { input in
    let decoded = PercentEncoding.decoded(input.bytes[...])
    try hold(decoded.count <= input.count, "longer than its code")
    for keepingSlashes in [true, false] {
      var encoded: [UInt8] = []
      PercentEncoding.append(input, keepingSlashes: keepingSlashes, to: &encoded)
      try hold(PercentEncoding.decoded(encoded[...]) == input.bytes, "does not come back")
      try hold(encoded.count <= 3 * input.count && encoded.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "no URL")
    }
    if let text = input.validText {
      try hold(
        PercentEncoding.decoded(Array(PercentEncoding.text(text, keeping: "@!").utf8)[...]) == input.bytes,
        "a name")
    }
  }

  /// The list of streams, as setting and as secret.
  static let streams = FuzzTarget("streams", mutations: 2_000) { input in
    let text = input.text
    for list in [try? Rule<StreamList>.streams.parse(text), try? StreamSecret.list(in: text)] {
      guard let list else { continue }
      try hold(!list.names.isEmpty && Set(list.names).count == list.names.count, "empty, or a name twice")
      try hold(list.names.allSatisfy { !$0.isEmpty && !$0.contains(",") && !$0.contains("/") }, "no name")
      try hold(list.names.reduce(0) { $0 + $1.utf8.count } <= 3 * input.count, "more than there is")
      try hold(list.warnings.allSatisfy { $0.utf8.count < 20 * input.count + 300 }, "a long warning")
      let requests = SubscribeRequest.covering(list.names)
      try hold(requests.flatMap(\.streams) == list.names, "a stream is not asked for")
    }
  }

  /// Settings of numbers, sizes and times.
  static let settings = FuzzTarget("settings", longest: 64, mutations: 20_000) { input in
    let text = input.text
    if let number = try? Rule.wholeNumber(1...100).parse(text) {
      try hold((1...100).contains(number), "\(number)")
    }
    for rule in [Rule<Duration>.seconds(atMost: 60), .hours(atMost: 24), .milliseconds(0...1_000)] {
      if let time = try? rule.parse(text) { try hold(.zero <= time && time <= .seconds(86_400), "\(time)") }
    }
    if let bytes = try? Rule<Int>.size.parse(text) { try hold((0...(1 << 50)).contains(bytes), "\(bytes)") }
    _ = try? Rule<Bool>.yesOrNo.parse(text)
    if let bytes = SizeText.bytes(text[...]) { try hold((0...(1 << 50)).contains(bytes), "\(bytes)") }
    let line = Text.oneLine(text)
    try hold(!line.unicodeScalars.contains(where: Text.isControl), "more than one line")
    let said = Text.oneLine(bytes: input, limit: 20)
    try hold(!said.unicodeScalars.contains(where: Text.isControl) && said.utf8.count <= 60, "a long line")
  }

  /// What comes through the control socket.
  static let control = FuzzTarget("control", mutations: 1_000) { input in
    let line = input.bytes
    if let request = try? ControlLine.decode(ControlRequest.self, line) {
      let back = try ControlLine.decode(ControlRequest.self, try ControlLine.encode(request))
      try hold(back == request, "a request does not come back: \(request)")
    }
    if let answer = try? ControlLine.decode(ControlAnswer.self, line) {
      let back = try ControlLine.decode(ControlAnswer.self, try ControlLine.encode(answer))
      try hold(back == answer, "an answer does not come back: \(answer)")
      _ = try? answer.checked()
    }
    _ = try? ControlLine.decode(ControlLine.Version.self, line)
  }
}
