import AWS
import Base
import ShippingFixtures
import Synchronization
import WAL

@testable import Shippers

/// Records in memory, with a hook before each request.
final class ScriptedPlace: RecordPlace {
  /// The refused ones of a request, by their places in it; the others are taken.
  typealias Hook = @Sendable (_ offsets: [Int64], _ number: Int) async throws -> [Int: AWSError]

  private struct State {
    var taken: [StreamRecord] = []
    var requests: [[Int64]] = []
    var inFlight = 0
    var mostInFlight = 0
    var limit = RecordLimits.usualRecordBytes
    var asked = 0
    var hook: Hook = { _, _ in [:] }
  }

  private let state = Mutex(State())

  /// In the order in which they were taken.
  var taken: [Int64] { state.withLock { $0.taken.map(\.offset.rawValue) } }
  var records: [StreamRecord] { state.withLock { $0.taken } }
  /// The offsets of each request.
  var requests: [[Int64]] { state.withLock { $0.requests } }
  var mostInFlight: Int { state.withLock { $0.mostInFlight } }
  /// How often its limit was asked for.
  var asked: Int { state.withLock { $0.asked } }

  func hook(_ hook: @escaping Hook) { state.withLock { $0.hook = hook } }
  func setLimit(_ bytes: Int) { state.withLock { $0.limit = bytes } }

  func recordLimit() -> Int {
    state.withLock { state in
      state.asked += 1
      return state.limit
    }
  }

  func put(_ records: ArraySlice<StreamRecord>) async throws -> [RefusedRecord] {
    let offsets = records.map(\.offset.rawValue)
    let (hook, number) = state.withLock { state in
      state.requests.append(offsets)
      state.inFlight += 1
      state.mostInFlight = max(state.mostInFlight, state.inFlight)
      return (state.hook, state.requests.count)
    }
    defer { state.withLock { $0.inFlight -= 1 } }
    let refused = try await hook(offsets, number)
    state.withLock { state in
      state.taken += records.enumerated().filter { refused[$0.offset] == nil }.map(\.element)
    }
    return refused.sorted { $0.key < $1.key }.map { RefusedRecord(place: $0.key, error: $0.value) }
  }

  func look(writes: Bool) -> [DoctorFinding] { [] }
}

extension ShippingRig {
  func shipping(to place: ScriptedPlace) -> Shipping {
    Shipping([RecordDestination(.kinesis, KinesisAddress(region: "r", stream: "s"), place: place)])
  }
}
