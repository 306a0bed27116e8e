/// A value that is set once and that any number of tasks may wait for.
package final class Latch<Value: Sendable>: Sendable {
  private let watch = Watch<Value?>(nil)

  package init() {}

  /// The first call wins.
  package func set(_ value: Value) {
    watch.update { $0 = $0 ?? value }
  }

  package var value: Value? { watch.value }

  /// - Throws: `CancellationError` if the task is cancelled before the value is there.
  package func wait() async throws -> Value {
    guard let value = try await watch.wait(until: { $0 != nil }) else {
      preconditionFailure("woken without a value")
    }
    return value
  }
}
