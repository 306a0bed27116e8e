import Base
import Ticks
import WAL

/// The key of an item: stream and time.
struct ItemKey: Hashable, Sendable {
  let streamType: String
  let isoTimestamp: String

  /// As many as one BatchGetItem takes.
  static let mostAtATime = 100
}

/// The item that a tick makes, as texts.
struct ExpectedItem: Sendable, Equatable {
  let key: ItemKey
  /// All but the key.
  let attributes: [ItemAttributes.Name: String]
  /// Epoch seconds.
  let ttl: Int64

  init(_ item: ItemAttributes) {
    var streamType = ""
    var isoTimestamp = ""
    item.visitKey { name, value in
      if name == .streamType { streamType = value.text } else { isoTimestamp = value.text }
    }
    var attributes: [ItemAttributes.Name: String] = [:]
    item.visitRest { name, value in attributes[name] = value.text }
    key = ItemKey(streamType: streamType, isoTimestamp: isoTimestamp)
    self.attributes = attributes
    ttl = item.ttl
  }

  /// - Throws: if the payload is not one JSON object.
  init(_ batch: TickBatch, _ tick: TickBatch.Entry, retentionDays: Int) throws(JSONError) {
    self = try batch.bytes.withUnsafeBufferPointer { (bytes) throws(JSONError) in
      let event = try TickEvent(
        stream: UnsafeBufferPointer(rebasing: bytes[tick.stream]),
        payload: UnsafeBufferPointer(rebasing: bytes[tick.payload]), receivedAt: tick.receivedAt)
      return ExpectedItem(ItemAttributes(event, retentionDays: retentionDays))
    }
  }

  enum Comparison: Equatable {
    case agrees
    /// In everything but `ttl_days`.
    case agreesButTTL
    /// The names of what differs, in their order.
    case differs([ItemAttributes.Name])
  }

  /// Attributes that somebody else has added do not count: writing the item leaves them, too.
  func compared(with found: [ItemAttributes.Name: String]) -> Comparison {
    let differing = ItemAttributes.Name.allCases.filter { name in
      guard let expected = attributes[name] else { return false }
      guard let found = found[name] else { return true }
      if expected == found { return false }
      guard name.isNumber, let number = DecimalText.canonical(expected) else { return true }
      return number != DecimalText.canonical(found)
    }
    if differing.isEmpty { return .agrees }
    return differing == [.ttlDays] ? .agreesButTTL : .differs(differing)
  }
}

extension ItemAttributes.Value {
  fileprivate var text: String {
    switch self {
    case .text(let text): String(decoding: text, as: UTF8.self)
    case .json(let contents): String(decoding: JSONString.replacingLoneSurrogates(contents), as: UTF8.self)
    case .integer(let integer): String(integer)
    }
  }
}
