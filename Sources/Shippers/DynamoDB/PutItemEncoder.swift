import Base

/// The body of DynamoDB's BatchWriteItem, made of a part for each tick.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
struct PutItemEncoder: Sendable {
  private let head: [UInt8]
  /// `{"PutRequest":{"Item":{`
  private static let opening = Array("{\"PutRequest\":{\"Item\":{".utf8)
  private static let closing = Array("}}}".utf8)
  private static let tail = Array("]}}".utf8)
  /// `"stream_type":{"S":`, by the name's raw value.
  private static let openings = ItemAttributes.Name.allCases.map { name in
    Array("\"\(name.text)\":{\"\(name.isNumber ? "N" : "S")\":".utf8)
  }

  init(table: String) {
    head = Array("{\"RequestItems\":{\(PythonJSON.string(table)):[".utf8)
  }

  /// One item's part.
  func put(_ attributes: ItemAttributes) -> [UInt8] {
    var part: [UInt8] = []
    part.reserveCapacity(640 + attributes.event.payload.count)
    part.append(contentsOf: Self.opening)
    attributes.visitKey { name, value in append(name, value, to: &part) }
    attributes.visitRest { name, value in append(name, value, to: &part) }
    // The last one's comma.
    part.removeLast()
    part.append(contentsOf: Self.closing)
    return part
  }

  /// The request for some of them.
  func encode(_ puts: [[UInt8]]) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(head.count + Self.tail.count + puts.reduce(0) { $0 + $1.count + 1 })
    body.append(contentsOf: head)
    for put in puts {
      body.append(contentsOf: put)
      body.append(UInt8(ascii: ","))
    }
    body.removeLast()
    body.append(contentsOf: Self.tail)
    return body
  }

  /// With a comma behind it.
  private func append(
    _ name: ItemAttributes.Name, _ value: ItemAttributes.Value, to part: inout [UInt8]
  ) {
    part.append(contentsOf: Self.openings[name.rawValue])
    value.appendJSON(to: &part)
    part.append(UInt8(ascii: "}"))
    part.append(UInt8(ascii: ","))
  }
}
