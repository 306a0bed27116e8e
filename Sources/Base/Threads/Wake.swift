/// Wakes whoever waits for what a completion has told. A completion returns it in place of calling it, so that many that
/// come at once wake one waiter once.
package typealias Wake = @Sendable () -> Void

/// Has work that is under way end soon with `CancellationError`; nothing if it has ended.
package typealias CallOff = @Sendable () -> Void
