import Base
import ShippingFixtures
import Synchronization
import TestSupport

@testable import Shippers
@testable import WAL

/// What outlives a process: the model, the places outside, and what is still on its way there.
final class ModelWorld: Sendable {
  /// A request that a process has sent before it ended, and that arrives afterwards.
  enum Late: Sendable {
    case object(String, DeliveryModel.Object)
    case item(Int64, Item)
    case items([(Int64, Item)])
  }

  /// What walks must bring about, all of them together.
  enum Event: CaseIterable, Sendable {
    case endAtCall, endAtChange, lateObject, lateItem, lateItems, itemsLeft, paused, seekBack, seekForth
    case seekRefused, keyTaken
  }

  private struct State {
    var model = DeliveryModel()
    /// The process that lives.
    var process = 0
    /// Whether what the one that has ended left behind is known.
    var isLeft = false
    var late: [Late] = []
    var taken: [String: Int] = [:]
    var note: [UInt8]?
    var events: Set<Event> = []
  }

  private let state = Mutex(State())

  var model: DeliveryModel { state.withLock { $0.model } }

  var events: Set<Event> { state.withLock { $0.events } }
  func note(_ event: Event) { state.withLock { _ = $0.events.insert(event) } }

  // MARK: Processes

  /// - Returns: the process's number.
  func begin() -> Int {
    state.withLock { state in
      state.isLeft = false
      return state.process
    }
  }

  /// From now on nothing that a process does counts.
  ///
  /// - Returns: whether it lived until now.
  func end(_ process: Int) -> Bool {
    state.withLock { state in
      guard state.process == process else { return false }
      state.process += 1
      return true
    }
  }

  /// What the process that has ended left behind is settled.
  func left() { state.withLock { $0.isLeft = true } }

  func isAlive(_ process: Int) -> Bool { state.withLock { $0.process == process } }

  /// What a process asks of its log counts for as long as its files can still change.
  func ask(_ process: Int, _ body: @Sendable (inout DeliveryModel) -> Void) {
    state.withLock { state in
      if state.process == process || !state.isLeft { body(&state.model) }
    }
  }

  /// What a process has heard, which it can only while it lives.
  func confirm(_ process: Int, _ body: @Sendable (inout DeliveryModel) -> Void) {
    state.withLock { if $0.process == process { body(&$0.model) } }
  }

  // MARK: Places

  /// - Returns: `nil` to a process that has ended.
  func put(_ process: Int, _ key: String, _ object: DeliveryModel.Object) -> Bool? {
    state.withLock { state in
      guard state.process == process else { return nil }
      return state.taken[key, default: 0] == 0 && state.model.store(key, object)
    }
  }

  func head(_ process: Int, _ key: String) -> StoredObject?? {
    state.withLock { state in
      guard state.process == process else { return .none }
      if let looks = state.taken[key], looks > 0 {
        state.taken[key] = looks - 1
        state.events.insert(.keyTaken)
        return .some(StoredObject(sha256: nil))
      }
      return .some(state.model.objects[key].map { StoredObject(sha256: $0.sha256) })
    }
  }

  func keys(_ process: Int) -> [String]? {
    state.withLock { $0.process == process ? Array($0.model.objects.keys) : nil }
  }

  /// Something else is stored under the key, unless our object is.
  func take(_ key: String, looks: Int) {
    state.withLock { if $0.model.objects[key] == nil { $0.taken[key] = looks } }
  }

  func write(_ process: Int, _ number: Int64, _ item: Item) -> Void? {
    state.withLock { state in
      guard state.process == process else { return nil }
      state.model.write(number, item)
      return ()
    }
  }

  func note(_ process: Int) -> [UInt8]?? {
    state.withLock { $0.process == process ? .some($0.note) : .none }
  }

  func setNote(_ process: Int, _ note: [UInt8]) -> Void? {
    state.withLock { state in
      guard state.process == process else { return nil }
      state.note = note
      return ()
    }
  }

  // MARK: Late arrivals

  func arrivesLater(_ late: Late) { state.withLock { $0.late.append(late) } }

  /// One that was on its way arrives.
  func arrive() {
    state.withLock { state in
      switch state.late.popLast() {
      case .object(let key, let object):
        state.events.insert(.lateObject)
        if state.taken[key, default: 0] == 0 { _ = state.model.store(key, object) }
      case .item(let number, let item):
        state.events.insert(.lateItem)
        state.model.write(number, item)
      case .items(let items):
        state.events.insert(.lateItems)
        for (number, item) in items { state.model.write(number, item) }
      case nil: break
      }
    }
  }
}
