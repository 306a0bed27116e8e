import Ticks

/// The body of DynamoDB's UpdateItem for one tick.
///
/// Every attribute is named through a placeholder, because some of their names are reserved words.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
struct UpdateItemEncoder: Sendable {
  private let head: [UInt8]

  init(table: String) {
    var head = Array("{\"TableName\":".utf8)
    var table = table
    table.withUTF8 { PythonJSON.appendString($0, to: &head) }
    head.append(contentsOf: ",\"Key\":{".utf8)
    self.head = head
  }

  func encode(_ attributes: ItemAttributes) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(1_024 + attributes.event.payload.count)
    body.append(contentsOf: head)
    var separator = false
    attributes.visitKey { name, value in
      if separator { body.append(UInt8(ascii: ",")) }
      separator = true
      Self.append(name.text, prefix: "", to: &body)
      Self.append(name, value, to: &body)
    }
    var names: [ItemAttributes.Name] = []
    names.reserveCapacity(ItemAttributes.Name.allCases.count)
    attributes.visitRest { name, _ in names.append(name) }

    Self.append("},\"UpdateExpression\":\"SET ", to: &body)
    for (index, name) in names.enumerated() {
      if index > 0 { body.append(UInt8(ascii: ",")) }
      Self.append("#", to: &body)
      body.append(contentsOf: name.text.utf8)
      Self.append("=:", to: &body)
      body.append(contentsOf: name.text.utf8)
    }
    Self.append("\",\"ExpressionAttributeNames\":{", to: &body)
    for (index, name) in names.enumerated() {
      if index > 0 { body.append(UInt8(ascii: ",")) }
      Self.append(name.text, prefix: "#", to: &body)
      body.append(UInt8(ascii: "\""))
      body.append(contentsOf: name.text.utf8)
      body.append(UInt8(ascii: "\""))
    }
    Self.append("},\"ExpressionAttributeValues\":{", to: &body)
    separator = false
    attributes.visitRest { name, value in
      if separator { body.append(UInt8(ascii: ",")) }
      separator = true
      Self.append(name.text, prefix: ":", to: &body)
      Self.append(name, value, to: &body)
    }
    Self.append("}}", to: &body)
    return body
  }

  private static func append(_ text: StaticString, to body: inout [UInt8]) {
    text.withUTF8Buffer { body.append(contentsOf: $0) }
  }

  private static func append(_ name: String, prefix: StaticString, to body: inout [UInt8]) {
    body.append(UInt8(ascii: "\""))
    append(prefix, to: &body)
    body.append(contentsOf: name.utf8)
    append("\":", to: &body)
  }

  private static func append(
    _ name: ItemAttributes.Name, _ value: ItemAttributes.Value, to body: inout [UInt8]
  ) {
    append(name.isNumber ? "{\"N\":" : "{\"S\":", to: &body)
    switch value {
    case .text(let text): PythonJSON.appendString(text, to: &body)
    case .json(let contents):
      body.append(UInt8(ascii: "\""))
      body.append(contentsOf: contents)
      body.append(UInt8(ascii: "\""))
    case .integer(let integer):
      body.append(UInt8(ascii: "\""))
      PythonJSON.appendInteger(integer, to: &body)
      body.append(UInt8(ascii: "\""))
    }
    body.append(UInt8(ascii: "}"))
  }
}
