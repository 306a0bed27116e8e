import Decoding
import Glibc
import Ticks
import WAL

/// What libFuzzer calls with each input: one message as an exchange might send it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let message = UnsafeBufferPointer(start: start, count: count)
  let isValid = Judge.shared.judge(message)
  for urlStream in [nil, "x@y"] { check(message, isValid: isValid, urlStream: urlStream) }
  return 0
}

private func check(_ message: UnsafeBufferPointer<UInt8>, isValid: Bool, urlStream: String?) {
  var decoder = MessageDecoder(urlStream: urlStream)
  var batch = TickBatch()
  var rejected: [RejectedInput] = []
  let outcome = decoder.decode(message, receivedAt: 1_700_000_000_123_456, into: &batch, rejected: &rejected)
  let saysInvalid = rejected.contains { $0.cause.hasPrefix("invalid JSON") }
  expect(saysInvalid == !isValid, "the decoder says otherwise than the scanner")
  expect(
    isValid || (outcome == .rejected && batch.isEmpty && rejected.count == 1), "part of an invalid message")
  switch outcome {
  case .ticks(let count): expect(count == batch.count, "another number of ticks than it says")
  case .answer, .serverShutdown: expect(batch.isEmpty && rejected.isEmpty, "more than an answer")
  case .rejected: expect(batch.isEmpty && !rejected.isEmpty, "rejected, but not kept")
  }
  for input in rejected {
    expect(message.contains(input.payload), "a rejected input that is no part of the message")
  }
  batch.bytes.withUnsafeBufferPointer { bytes in
    var end = 0
    for entry in batch.entries {
      expect(entry.stream.lowerBound == end && entry.payload.lowerBound == entry.stream.upperBound, "a hole")
      end = entry.payload.upperBound
      expect(end <= bytes.count, "a range out of bounds")
      check(
        stream: UnsafeBufferPointer(rebasing: bytes[entry.stream]),
        payload: UnsafeBufferPointer(rebasing: bytes[entry.payload]), receivedAt: entry.receivedAt,
        of: message)
    }
    expect(end == bytes.count, "bytes of no tick")
  }
}

private func check(
  stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>, receivedAt: Int64,
  of message: UnsafeBufferPointer<UInt8>
) {
  expect(!stream.isEmpty && stream.allSatisfy { $0 >= 0x20 }, "a stream's name with control characters")
  expect(String(validating: stream, as: UTF8.self) != nil, "a stream's name that is not UTF-8")
  expect(payload.first == UInt8(ascii: "{"), "a payload that is no object")
  expect(Judge.shared.judge(payload), "a payload that is not JSON by itself")
  expect(message.contains(payload), "a payload that is no part of the message")
  guard let event = try? TickEvent(stream: stream, payload: payload, receivedAt: receivedAt) else {
    return expect(false, "a payload that the sinks cannot read")
  }
  var row: [UInt8] = []
  RowEncoder.append(event, to: &row)
  expect(row.last == UInt8(ascii: "\n"), "a row without an end")
  expect(row.dropLast().allSatisfy { (0x20...0x7f).contains($0) }, "a row that is not ASCII")
  row.withUnsafeBufferPointer { row in
    expect(Judge.shared.judge(UnsafeBufferPointer(rebasing: row.dropLast())), "a row that is not JSON")
    Sample.shared?.add(stream: stream, payload: payload, row: row)
  }
}

/// Ends the program, so that libFuzzer keeps the input.
func expect(_ condition: Bool, _ what: StaticString) {
  if !condition { fatalError("\(what)") }
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
