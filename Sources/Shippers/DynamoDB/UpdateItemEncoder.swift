import Base
import Ticks

/// The body of DynamoDB's UpdateItem for one tick.
///
/// Every attribute is named through a placeholder, because some of their names are reserved words.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
struct UpdateItemEncoder: Sendable {
  private let head: [UInt8]
  /// The text between key and values, for the two sets of names that nearly all items have: those of a
  /// miniTicker and those of other events.
  private let usual: [(names: UInt16, expression: [UInt8])]
  /// `"stream_type":{"S":`, `":close_price":{"N":`, by the name's raw value.
  private let openings: [[UInt8]]

  init(table: String) {
    var head = Array("{\"TableName\":".utf8)
    var table = table
    table.withUTF8 { PythonJSON.appendString($0, to: &head) }
    head.append(contentsOf: ",\"Key\":{".utf8)
    self.head = head
    openings = ItemAttributes.Name.allCases.map { name in
      let type = name.isNumber ? "N" : "S"
      return Array("\"\(name.isKey ? "" : ":")\(name.text)\":{\"\(type)\":".utf8)
    }
    let miniTicker = ItemAttributes.Name.allCases.filter { !$0.isKey && $0 != .data }
    let other = [ItemAttributes.Name.eventType, .eventTime, .symbol, .data, .ttlDays]
    usual = [miniTicker, other].map { names in
      let bits = names.reduce(0) { $0 | $1.bit }
      return (bits, Self.expression(bits))
    }
  }

  func encode(_ attributes: ItemAttributes) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(1_280 + attributes.event.payload.count)
    body.append(contentsOf: head)
    attributes.visitKey { name, value in append(name, value, to: &body) }
    // In place of the last one's comma.
    body[body.count - 1] = UInt8(ascii: "}")
    var names: UInt16 = 0
    attributes.visitRest { name, _ in names |= name.bit }
    appendExpression(names, to: &body)
    attributes.visitRest { name, value in append(name, value, to: &body) }
    body[body.count - 1] = UInt8(ascii: "}")
    body.append(UInt8(ascii: "}"))
    return body
  }

  private func appendExpression(_ names: UInt16, to body: inout [UInt8]) {
    for known in usual where known.names == names { return body.append(contentsOf: known.expression) }
    body.append(contentsOf: Self.expression(names))
  }

  /// `,"UpdateExpression":"SET #a=:a,…","ExpressionAttributeNames":{"#a":"a",…},"ExpressionAttributeValues":{`
  private static func expression(_ names: UInt16) -> [UInt8] {
    let names = ItemAttributes.Name.allCases.filter { names & $0.bit != 0 }.map(\.text)
    let assignments = names.map { "#\($0)=:\($0)" }.joined(separator: ",")
    let placeholders = names.map { "\"#\($0)\":\"\($0)\"" }.joined(separator: ",")
    return Array(
      """
      ,"UpdateExpression":"SET \(assignments)","ExpressionAttributeNames":{\(placeholders)},\
      "ExpressionAttributeValues":{
      """.utf8)
  }

  /// With a comma behind it.
  private func append(
    _ name: ItemAttributes.Name, _ value: ItemAttributes.Value, to body: inout [UInt8]
  ) {
    body.append(contentsOf: openings[name.rawValue])
    value.appendJSON(to: &body)
    body.append(UInt8(ascii: "}"))
    body.append(UInt8(ascii: ","))
  }
}

extension ItemAttributes.Name {
  /// Of the item's key.
  fileprivate var isKey: Bool { self == .streamType || self == .isoTimestamp }
  fileprivate var bit: UInt16 { 1 << UInt16(rawValue) }
}

extension ItemAttributes.Value {
  /// As DynamoDB takes it: numbers are strings, too.
  func appendJSON(to body: inout [UInt8]) {
    switch self {
    case .text(let text): PythonJSON.appendString(text, to: &body)
    case .json(let contents) where contents.contains(UInt8(ascii: "\\")) && JSONString.text(contents) == nil:
      // Half a pair of surrogates is no text, and DynamoDB would refuse it.
      let text = JSONString.replacingLoneSurrogates(contents)
      text.withUnsafeBufferPointer { PythonJSON.appendString($0, to: &body) }
    case .json(let contents):
      body.append(UInt8(ascii: "\""))
      body.append(contentsOf: contents)
      body.append(UInt8(ascii: "\""))
    case .integer(let integer):
      body.append(UInt8(ascii: "\""))
      PythonJSON.appendInteger(integer, to: &body)
      body.append(UInt8(ascii: "\""))
    }
  }
}
