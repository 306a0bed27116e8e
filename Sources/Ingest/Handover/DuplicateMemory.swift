/// A tick's stream and payload in 128 bits; of this process alone.
struct TickKey: Hashable, Sendable {
  let first: UInt64
  let second: UInt64

  /// Two hashes of the keyed function behind `Hasher`, told apart by what goes in first. Nobody outside can make
  /// two texts with one key, and by chance it does not happen.
  init(stream: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    first = Self.hash(1, stream, payload)
    second = Self.hash(2, stream, payload)
  }

  private static func hash(
    _ salt: UInt, _ stream: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer
  ) -> UInt64 {
    var hasher = Hasher()
    // With the length, so that no byte can move between stream and payload.
    hasher.combine(salt << 32 | UInt(stream.count))
    hasher.combine(bytes: stream)
    hasher.combine(bytes: payload)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}

/// A memory of which ticks of several connections are the same: for each key, how often each connection
/// delivered it and how often it was appended.
///
/// A tick is a duplicate if its connection has now delivered its key no more often than it was appended: each
/// appended tick makes at most one of every other connection a duplicate, and none of its own. Keys are forgotten
/// in the order in which they came, at the limit; what comes again after that is appended again.
struct DuplicateMemory: Sendable {
  /// The connections that can be told apart.
  static let lanes = 3

  private struct Record {
    var key: TickKey
    var appended: UInt32 = 0
    var delivered: (UInt32, UInt32, UInt32) = (0, 0, 0)
    /// A bit for each lane whose present connection has delivered it.
    var metBy: UInt8 = 0

    subscript(lane: Int) -> UInt32 {
      get {
        switch lane {
        case 0: delivered.0
        case 1: delivered.1
        default: delivered.2
        }
      }
      set {
        switch lane {
        case 0: delivered.0 = newValue
        case 1: delivered.1 = newValue
        default: delivered.2 = newValue
        }
      }
    }
  }

  private let limit: Int
  /// Grows to the limit, then becomes a ring.
  private var records: [Record] = []
  private var oldest = 0
  /// Open addressing, at most half full: a record's place plus 1, or 0.
  private var places: [UInt32] = []

  init(limit: Int) { self.limit = max(1, limit) }

  var count: Int { records.count }

  /// Counts a tick.
  ///
  /// - Parameter remembers: whether a key never seen is remembered; no other connection can deliver it if not.
  /// - Returns: whether it is to be appended.
  mutating func admit(_ key: TickKey, lane: Int, remembers: Bool) -> Bool {
    if let place = find(key) {
      records[place][lane] += 1
      records[place].metBy |= 1 << lane
      guard records[place][lane] > records[place].appended else { return false }
      records[place].appended = records[place][lane]
      return true
    }
    guard remembers else { return true }
    var record = Record(key: key, appended: 1)
    record[lane] = 1
    record.metBy = 1 << lane
    insert(record)
    return true
  }

  /// True if the lane's connection is past the tick: it has delivered it, or began after it.
  func hasDelivered(_ key: TickKey, lane: Int) -> Bool {
    find(key).map { records[$0][lane] > 0 } ?? false
  }

  /// True if the lane's connection itself has delivered the tick.
  func isMet(_ key: TickKey, by lane: Int) -> Bool {
    find(key).map { records[$0].metBy & 1 << lane != 0 } ?? false
  }

  /// A new connection uses the lane: what was appended before it is none of its duplicates.
  mutating func begin(lane: Int) {
    for place in records.indices {
      records[place][lane] = records[place].appended
      records[place].metBy &= ~(1 << lane)
    }
  }

  mutating func removeAll() {
    records = []
    places = []
    oldest = 0
  }

  // MARK: Table

  private func find(_ key: TickKey) -> Int? {
    if places.isEmpty { return nil }
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: key.first) & mask
    while places[place] != 0 {
      let found = Int(places[place]) - 1
      if records[found].key == key { return found }
      place = (place + 1) & mask
    }
    return nil
  }

  private mutating func insert(_ record: Record) {
    if records.count < limit {
      records.append(record)
      if records.count * 2 > places.count { return grow() }
      note(records.count - 1)
    } else {
      forget(oldest)
      records[oldest] = record
      note(oldest)
      oldest = oldest + 1 == limit ? 0 : oldest + 1
    }
  }

  private mutating func grow() {
    places = [UInt32](repeating: 0, count: max(1_024, places.count * 2))
    for place in records.indices { note(place) }
  }

  private func home(_ record: Int) -> Int {
    Int(truncatingIfNeeded: records[record].key.first) & (places.count - 1)
  }

  private mutating func note(_ record: Int) {
    let mask = places.count - 1
    var place = home(record)
    while places[place] != 0 { place = (place + 1) & mask }
    places[place] = UInt32(record + 1)
  }

  /// Takes a record out of the table and moves what follows up, so that no search ends early.
  private mutating func forget(_ record: Int) {
    let mask = places.count - 1
    var hole = home(record)
    while places[hole] != UInt32(record + 1) { hole = (hole + 1) & mask }
    var next = (hole + 1) & mask
    while places[next] != 0 {
      let wish = home(Int(places[next]) - 1)
      if (next - wish) & mask >= (next - hole) & mask {
        places[hole] = places[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    places[hole] = 0
  }
}
