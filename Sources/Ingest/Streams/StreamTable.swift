import Glibc

/// Small numbers for streams' names, found by their bytes: no `String` for a tick.
///
/// Numbers count from 0 in the order in which names were first seen.
struct StreamTable: Sendable {
  private struct Name {
    var hash: UInt64
    var bytes: Range<Int>
  }

  let limit: Int
  private let byteLimit: Int
  /// Of this process alone, so that nobody outside can choose names that meet in one place.
  private let key = UInt64(bitPattern: Int64(Hasher().finalize()))
  private var text: [UInt8] = []
  private var names: [Name] = []
  /// Open addressing, at most half full: a number plus 1, or 0.
  private var places = [Int32](repeating: 0, count: 64)

  /// The exchange, or rubbish in its place, may send any number of names, and long ones. A name that comes when the
  /// table is full has no number: its ticks are kept like all others, but nobody watches the stream.
  ///
  /// - Parameters:
  ///   - limit: how many names are taken.
  ///   - byteLimit: how many bytes of them.
  init(limit: Int = 65_536, byteLimit: Int = 4 << 20) {
    self.limit = limit
    self.byteLimit = byteLimit
  }

  var count: Int { names.count }

  func name(_ number: Int) -> String { String(decoding: text[names[number].bytes], as: UTF8.self) }

  /// The name as UTF-8.
  func withName<Result>(_ number: Int, _ body: (ArraySlice<UInt8>) -> Result) -> Result {
    body(text[names[number].bytes])
  }

  /// The name's number, a new one if it was never seen; nil if the table is full.
  mutating func number(of name: UnsafeRawBufferPointer) -> Int? {
    let hash = hash(name)
    let place = place(of: name, hash)
    if places[place] != 0 { return Int(places[place]) - 1 }
    guard names.count < limit, text.count + name.count <= byteLimit else { return nil }
    names.append(Name(hash: hash, bytes: text.count..<text.count + name.count))
    text.append(contentsOf: name)
    places[place] = Int32(names.count)
    if names.count * 2 > places.count { grow() }
    return names.count - 1
  }

  /// For callers off the hot path: the name's number, if it has one.
  func existing(_ name: String) -> Int? {
    var name = name
    return name.withUTF8 { bytes in
      let bytes = UnsafeRawBufferPointer(bytes)
      let number = Int(places[place(of: bytes, hash(bytes))])
      return number == 0 ? nil : number - 1
    }
  }

  /// The place where the name is, or where it would be.
  private func place(of name: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while places[place] != 0 {
      let number = Int(places[place]) - 1
      if names[number].hash == hash, isEqual(names[number].bytes, name) { break }
      place = (place + 1) & mask
    }
    return place
  }

  /// For callers off the hot path.
  mutating func number(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { number(of: UnsafeRawBufferPointer($0)) }
  }

  private func isEqual(_ range: Range<Int>, _ name: UnsafeRawBufferPointer) -> Bool {
    range.count == name.count
      && text.withUnsafeBufferPointer { text in
        guard let text = text.baseAddress, let name = name.baseAddress else { return true }
        return memcmp(text + range.lowerBound, name, range.count) == 0
      }
  }

  /// Cheaper than `Hasher` for a name's few bytes. What comes out the same costs time and nothing else.
  private func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
    var hash = key ^ UInt64(name.count)
    var place = 0
    while place + 8 <= name.count {
      hash = Self.mixed(hash ^ name.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      place += 8
    }
    var rest: UInt64 = 0
    while place < name.count {
      rest = rest << 8 | UInt64(name[place])
      place += 1
    }
    return Self.mixed(hash ^ rest)
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }

  private mutating func grow() {
    places = [Int32](repeating: 0, count: places.count * 2)
    let mask = places.count - 1
    for (number, name) in names.enumerated() {
      var place = Int(truncatingIfNeeded: name.hash) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = Int32(number + 1)
    }
  }
}
