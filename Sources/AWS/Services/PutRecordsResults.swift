import Base

/// The results in an answer to PutRecords, one for each record. Pure.
///
/// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsResultEntry.html
struct PutRecordsResults: Equatable {
  struct Fault: Equatable {
    let code: String
    var message: String
  }

  private(set) var count = 0
  /// Places from 0, with what is wrong.
  private(set) var refused: [(place: Int, fault: Fault)] = []

  /// `nil` for what is no such answer.
  init?(_ body: [UInt8]) {
    let isRead = body.withUnsafeBufferPointer { bytes in
      var scanner = JSONScanner(bytes)
      do throws(JSONError) {
        try readAll(&scanner)
        return true
      } catch {
        return false
      }
    }
    guard isRead else { return nil }
  }

  private mutating func readAll(_ scanner: inout JSONScanner) throws(JSONError) {
    let bytes = scanner.bytes
    var answer = try scanner.enterObject()
    while let name = try scanner.nextKey(&answer) {
      guard bytes[name.contents].elementsEqual("Records".utf8) else {
        _ = try scanner.skipValue()
        continue
      }
      var records = try scanner.enterArray()
      while try scanner.nextElement(&records) { try read(&scanner) }
    }
    try scanner.finish()
  }

  private mutating func read(_ scanner: inout JSONScanner) throws(JSONError) {
    let bytes = scanner.bytes
    var code: String?
    var message = ""
    var isPut = false
    var record = try scanner.enterObject()
    while let name = try scanner.nextKey(&record) {
      let value = try scanner.skipValue()
      guard value.kind == .string else { continue }
      switch bytes[name.contents] {
      case let name where name.elementsEqual("SequenceNumber".utf8): isPut = true
      case let name where name.elementsEqual("ErrorCode".utf8): code = Self.text(value, bytes)
      case let name where name.elementsEqual("ErrorMessage".utf8): message = Self.text(value, bytes)
      default: break
      }
    }
    if let code {
      refused.append((count, Fault(code: code, message: message)))
    } else if !isPut {
      // Neither one nor the other is no word that it is kept.
      refused.append(
        (count, Fault(code: "UnexpectedAnswer", message: "the answer gives it no sequence number")))
    }
    count += 1
  }

  private static func text(_ value: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(
      decoding: JSONString.replacingLoneSurrogates(UnsafeBufferPointer(rebasing: bytes[value.contents])),
      as: UTF8.self)
  }

  static func == (left: PutRecordsResults, right: PutRecordsResults) -> Bool {
    left.count == right.count
      && left.refused.elementsEqual(right.refused) { $0.place == $1.place && $0.fault == $1.fault }
  }
}
