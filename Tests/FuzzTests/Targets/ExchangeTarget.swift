import Base

@testable import Simulate

extension FuzzTarget {
  /// What a client says to the stand-in exchange, and the file that it plays.
  static let exchange = FuzzTarget("exchange", longest: 2_048, mutations: 2_000) { input in
    let message = RecordedMessage(line: input.bytes)
    try hold(message.event.upperBound <= input.count, "an event beyond the line")
    try hold(message.isCombined || message.event == input.indices, "a part of a line that is no message")
    if let request = try? UpgradeRequest(head: input.text) {
      try hold(request.streams.count <= ClientLimits.streams, "more streams than there may be")
      try hold(request.streams.allSatisfy { !$0.isEmpty && !$0.contains("/") }, "no name")
      for name in request.streams { _ = StreamKind.parse(name) }
    }
    if let request = try? ClientRequest(json: input.bytes) {
      try holdJSON(try request.answer(listing: request.streams))
      try holdJSON(try request.denial(.internalError))
    }
  }
}

/// That bytes are one JSON text, by the scanner.
private func holdJSON(_ bytes: [UInt8]) throws {
  do {
    _ = try bytes.withUnsafeBufferPointer { buffer throws(JSONError) in try JSONScanner.validate(buffer) }
  } catch {
    throw Broken("\(String(decoding: bytes, as: UTF8.self)) is no JSON: \(error)")
  }
}
