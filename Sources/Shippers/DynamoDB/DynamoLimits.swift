import Base

/// The limits of an item that are known before it is sent. What is beyond them would be refused, and refusals in a row
/// hold the table.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html,
/// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html (sizes)
enum DynamoLimits {
  static let partitionKeyBytes = 2_048
  static let sortKeyBytes = 1_024
  static let itemBytes = 400 << 10

  /// - Returns: `nil` for an item that the table can take.
  static func flaw(_ attributes: ItemAttributes) -> String? {
    var flaw: String?
    attributes.visitKey { name, value in
      let limit = name == .streamType ? partitionKeyBytes : sortKeyBytes
      let bytes = size(name, value) - name.text.utf8.count
      if bytes == 0 {
        flaw = "\(name.text) is empty, and a key must not be"
      } else if bytes > limit {
        flaw = "\(name.text) has \(bytes) bytes, and a key has \(limit) at most"
      }
    }
    return flaw ?? sizeFlaw(attributes)
  }

  private static func sizeFlaw(_ attributes: ItemAttributes) -> String? {
    // Nothing but the payload and parts of it can be long.
    guard 2 * attributes.event.payload.count + attributes.event.stream.count + 4_096 > itemBytes else {
      return nil
    }
    var bytes = 0
    attributes.visitKey { bytes += size($0, $1) }
    attributes.visitRest { bytes += size($0, $1) }
    return bytes > itemBytes
      ? "the item has \(Figures.bytes(bytes)), and \(Figures.bytes(itemBytes)) is the most" : nil
  }

  /// Of an attribute with its name.
  private static func size(_ name: ItemAttributes.Name, _ value: ItemAttributes.Value) -> Int {
    let bytes =
      switch value {
      case .text(let text): text.count
      case .json(let contents) where contents.contains(UInt8(ascii: "\\")):
        JSONString.replacingLoneSurrogates(contents).count
      case .json(let contents): contents.count
      case .integer: 8
      }
    // A number takes a byte for two digits.
    return name.text.utf8.count + (name.isNumber ? bytes / 2 + 1 : bytes)
  }
}
