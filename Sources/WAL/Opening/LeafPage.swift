import Base

/// Reads the rows that lie on one leaf page, whatever the rest of the page says: each cell stands for itself.
///
/// Reference: https://www.sqlite.org/fileformat2.html#b_tree_pages
package struct LeafPage {
  /// One column of a row, as it is stored.
  package enum Value: Equatable {
    case null
    case int(Int64)
    case bytes([UInt8])

    package var int: Int64? { if case .int(let value) = self { value } else { nil } }
    package var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
  }

  package struct Row {
    /// `nil` on a page of an index.
    package let rowID: Int64?
    package let values: [Value]
  }

  private let page: [UInt8]
  private let usable: Int
  /// As many as a row can go on over.
  private let pages: Int
  /// Gives the pages where long rows go on.
  private let read: (UInt32) throws(LogError) -> [UInt8]?

  package static let table: UInt8 = 0x0D
  package static let index: UInt8 = 0x0A

  /// - Parameters:
  ///   - page: whole, and not the first of the file.
  ///   - pages: how many there are.
  ///   - read: a page by its number, `nil` if there is none.
  package init(
    _ page: [UInt8], reserved: Int, pages: Int, read: @escaping (UInt32) throws(LogError) -> [UInt8]?
  ) {
    self.page = page
    self.pages = pages
    usable = page.count - reserved
    self.read = read
  }

  /// Rows of so many columns, from wherever one can begin on the page.
  ///
  /// The pointers to the cells are believed only as far as they lead to a row; where the page's head is damaged,
  /// every byte may begin one. Whoever asks tells real rows from others, by their checksums.
  package func rows(columns: Int, isTable: Bool, everywhere: Bool) throws(LogError) -> [Row] {
    var rows: [Row] = []
    if everywhere {
      for position in 8..<max(8, usable - columns - 2) {
        if let row = try row(at: position, columns: columns, isTable: isTable) { rows.append(row) }
      }
      return rows
    }
    guard usable > 8 else { return [] }
    let count = Int(page[3]) << 8 | Int(page[4])
    for index in 0..<count {
      let pointer = 8 + 2 * index
      guard pointer + 1 < usable else { break }
      let position = Int(page[pointer]) << 8 | Int(page[pointer + 1])
      if let row = try row(at: position, columns: columns, isTable: isTable) { rows.append(row) }
    }
    return rows
  }

  private func row(at start: Int, columns: Int, isTable: Bool) throws(LogError) -> Row? {
    var position = start
    guard position >= 8, let length = Self.varint(page, &position), length > columns,
      length <= Self.longest
    else { return nil }
    var rowID: Int64?
    if isTable {
      guard let id = Self.varint(page, &position) else { return nil }
      rowID = id
    }
    // A row's own head comes first, and says at once whether this is one.
    var head = position
    guard let headLength = Self.varint(page, &head),
      headLength == Int64(columns + (head - position)) || headLength > columns,
      headLength <= 64, position + Int(headLength) <= usable
    else { return nil }
    var types: [Int64] = []
    let end = position + Int(headLength)
    while head < end, types.count < columns {
      guard let type = Self.varint(page, &head), type >= 0, type != 10, type != 11 else { return nil }
      types.append(type)
    }
    guard head == end, types.count == columns else { return nil }
    // Each may claim to be of any length.
    let total = types.reduce(headLength) { $0.addingSaturated(Self.length(ofType: $1)) }
    guard total == length, let payload = try payload(at: position, length: Int(length), isTable: isTable)
    else {
      return nil
    }
    var at = Int(headLength)
    var values: [Value] = []
    for type in types {
      let length = Int(Self.length(ofType: type))
      values.append(Self.value(payload[at..<at + length], type: type))
      at += length
    }
    return Row(rowID: rowID, values: values)
  }

  /// A row's bytes, those on other pages too.
  private func payload(at position: Int, length: Int, isTable: Bool) throws(LogError) -> [UInt8]? {
    let most = isTable ? usable - 35 : (usable - 12) * 64 / 255 - 23
    guard length > most else {
      return position + length <= usable ? Array(page[position..<position + length]) : nil
    }
    let least = (usable - 12) * 32 / 255 - 23
    let fitting = least + (length - least) % (usable - 4)
    let here = fitting <= most ? fitting : least
    // A damaged length may claim anything, and damaged pages may lead in a circle.
    guard position + here + 4 <= usable, (length - here) / (usable - 4) < pages else { return nil }
    var payload = Array(page[position..<position + here])
    var next = page.uint32(at: position + here)
    var seen: Set<UInt32> = []
    while payload.count < length {
      guard next > 1, seen.insert(next).inserted, let page = try read(next), page.count >= usable else {
        return nil
      }
      payload += page[4..<4 + min(usable - 4, length - payload.count)]
      next = page.uint32(at: 0)
    }
    return payload
  }

  /// The longest row that SQLite makes.
  private static let longest: Int64 = 1_000_000_000

  private static func length(ofType type: Int64) -> Int64 {
    switch type {
    case 0, 8, 9: 0
    case 1...4: type
    case 5: 6
    case 6, 7: 8
    default: (type - 12) / 2
    }
  }

  private static func value(_ bytes: ArraySlice<UInt8>, type: Int64) -> Value {
    switch type {
    case 0: .null
    case 8: .int(0)
    case 9: .int(1)
    case 1...6:
      .int(bytes.dropFirst().reduce(Int64(Int8(bitPattern: bytes[bytes.startIndex]))) { $0 << 8 | Int64($1) })
    default: .bytes(Array(bytes))
    }
  }

  private static func varint(_ bytes: [UInt8], _ position: inout Int) -> Int64? {
    var value: UInt64 = 0
    for index in 0..<9 {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      if index == 8 { return Int64(bitPattern: value << 8 | UInt64(byte)) }
      value = value << 7 | UInt64(byte & 0x7F)
      if byte < 0x80 { return Int64(bitPattern: value) }
    }
    return nil
  }
}
