/// The meaning of the words in which DynamoDB refuses an item. Pure.
///
/// Reference: the messages of ValidationException, as the service sends them; they are not documented.
enum RefusalWords {
  static func blame(_ message: String) -> ItemRefusal.Blame {
    let words = message.lowercased()
    func has(_ any: String...) -> Bool { any.contains { words.contains($0) } }
    if has("empty string value") { return has("index") ? .item : .value }
    if has("index key", "indexname", "secondary index") { return has("size") ? .value : .index }
    if has("key element", "key schema", "missing the key") { return .keys }
    let isOfTheValue = has(
      "numeric value", "number overflow", "number underflow", "significant digits", "item size",
      "size of hashkey", "size of all range keys", "size of rangekey", "exceeded the maximum size")
    return isOfTheValue ? .value : .item
  }
}
