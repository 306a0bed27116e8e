/// Small numbers for streams' names, found by their bytes: no `String` for a tick.
///
/// Numbers count from 0 in the order in which names were first seen.
struct StreamTable: Sendable {
  private struct Name {
    var hash: Int
    var bytes: Range<Int>
  }

  let limit: Int
  private var text: [UInt8] = []
  private var names: [Name] = []
  /// Open addressing, at most half full: a number plus 1, or 0.
  private var places = [Int32](repeating: 0, count: 64)

  /// - Parameter limit: how many names are taken; the exchange, or rubbish in its place, may send any number.
  init(limit: Int = 65_536) { self.limit = limit }

  var count: Int { names.count }

  func name(_ number: Int) -> String { String(decoding: text[names[number].bytes], as: UTF8.self) }

  /// The name's number, a new one if it was never seen; nil if the table is full.
  mutating func number(of name: UnsafeRawBufferPointer) -> Int? {
    var hasher = Hasher()
    hasher.combine(bytes: name)
    let hash = hasher.finalize()
    let mask = places.count - 1
    var place = hash & mask
    while places[place] != 0 {
      let number = Int(places[place]) - 1
      if names[number].hash == hash, isEqual(names[number].bytes, name) { return number }
      place = (place + 1) & mask
    }
    guard names.count < limit else { return nil }
    names.append(Name(hash: hash, bytes: text.count..<text.count + name.count))
    text.append(contentsOf: name)
    places[place] = Int32(names.count)
    if names.count * 2 > places.count { grow() }
    return names.count - 1
  }

  /// For callers off the hot path.
  mutating func number(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { number(of: UnsafeRawBufferPointer($0)) }
  }

  private func isEqual(_ range: Range<Int>, _ name: UnsafeRawBufferPointer) -> Bool {
    range.count == name.count
      && text.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[range]).elementsEqual(name) }
  }

  private mutating func grow() {
    places = [Int32](repeating: 0, count: places.count * 2)
    let mask = places.count - 1
    for (number, name) in names.enumerated() {
      var place = name.hash & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = Int32(number + 1)
    }
  }
}
