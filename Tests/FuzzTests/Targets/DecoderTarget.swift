import Base
import Glibc
import Ticks
import WAL

@testable import Ingest

extension FuzzTarget {
  /// A message as an exchange might send it, with SQLite's json_valid as the judge of what is JSON.
  static let decoder = FuzzTarget("decoder", mutations: 2_000) { message in
    let isValid = try Judge.shared.judge(message)
    for urlStream in [nil, "x@y"] { try check(message, isValid: isValid, urlStream: urlStream) }
  }

  private static func check(
    _ message: UnsafeBufferPointer<UInt8>, isValid: Bool, urlStream: String?
  ) throws {
    var decoder = MessageDecoder(urlStream: urlStream)
    var batch = TickBatch()
    var rejected: [RejectedInput] = []
    let outcome = decoder.decode(
      message, receivedAt: 1_700_000_000_123_456, into: &batch, rejected: &rejected)
    let saysInvalid = rejected.contains { $0.cause.hasPrefix("invalid JSON") }
    try hold(saysInvalid == !isValid, "the decoder says otherwise than the scanner")
    try hold(
      isValid || (outcome == .rejected && batch.isEmpty && rejected.count == 1), "part of an invalid message")
    try hold(rejected.count <= RejectedElements.most + 1, "\(rejected.count) rejected inputs")
    switch outcome {
    case .ticks(let count): try hold(count == batch.count, "another number of ticks than it says")
    case .answer, .serverShutdown: try hold(batch.isEmpty && rejected.isEmpty, "more than an answer")
    case .rejected: try hold(batch.isEmpty && !rejected.isEmpty, "rejected, but not kept")
    }
    for input in rejected {
      try hold(message.contains(input.payload), "a rejected input that is no part of the message")
    }
    try batch.bytes.withUnsafeBufferPointer { bytes in
      var end = 0
      for entry in batch.entries {
        try hold(
          entry.stream.lowerBound == end && entry.payload.lowerBound == entry.stream.upperBound, "a hole")
        end = entry.payload.upperBound
        try hold(end <= bytes.count, "a range out of bounds")
        try check(
          stream: UnsafeBufferPointer(rebasing: bytes[entry.stream]),
          payload: UnsafeBufferPointer(rebasing: bytes[entry.payload]), receivedAt: entry.receivedAt,
          of: message)
      }
      try hold(end == bytes.count, "bytes of no tick")
    }
  }

  private static func check(
    stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>, receivedAt: Int64,
    of message: UnsafeBufferPointer<UInt8>
  ) throws {
    try hold(!stream.isEmpty && stream.allSatisfy { $0 >= 0x20 }, "a stream's name with control characters")
    try hold(stream.count <= StreamNameLimit.bytes, "a stream's name of \(stream.count) bytes")
    try hold(String(validating: stream, as: UTF8.self) != nil, "a stream's name that is not UTF-8")
    try hold(payload.first == UInt8(ascii: "{"), "a payload that is no object")
    try hold(try Judge.shared.judge(payload), "a payload that is not JSON by itself")
    try hold(message.contains(payload), "a payload that is no part of the message")
    guard let event = try? TickEvent(stream: stream, payload: payload, receivedAt: receivedAt) else {
      throw Broken("a payload that the sinks cannot read")
    }
    var row: [UInt8] = []
    RowEncoder.append(event, to: &row)
    try hold(row.last == UInt8(ascii: "\n"), "a row without an end")
    try hold(row.dropLast().allSatisfy { (0x20...0x7f).contains($0) }, "a row that is not ASCII")
    try row.withUnsafeBufferPointer { row in
      try hold(
        try Judge.shared.judge(UnsafeBufferPointer(rebasing: row.dropLast())), "a row that is not JSON")
      sampleSeen?([Array(stream), Array(payload), Array(row)])
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  func contains(_ part: some Collection<UInt8>) -> Bool {
    part.withContiguousStorageIfAvailable { part in
      guard let wanted = part.baseAddress, let start = baseAddress, part.count <= count else {
        return part.isEmpty
      }
      return (0...count - part.count).contains { memcmp(start + $0, wanted, part.count) == 0 }
    } ?? false
  }
}
