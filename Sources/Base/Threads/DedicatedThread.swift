import CGlibc
import Glibc

/// A thread of its own for calls that block, which must stay off Swift's cooperative pool.
package struct DedicatedThread: ~Copyable, Sendable {
  private let handle: pthread_t

  /// - Parameter name: what `top -H` and `perf` call it; Linux keeps 15 bytes.
  /// - Throws: `SystemError` with `EAGAIN` where the system has no thread or memory left; the body is not run then.
  package init(
    named name: StaticString = "tickwal", _ body: @escaping @Sendable () -> Void
  ) throws(SystemError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    let code = pthread_create(
      &handle, nil,
      { argument in
        // The argument is the retained `Start` from above, taken over exactly once.
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        pthread_setname_np(pthread_self(), "\(start.name)")
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError(doing: "starting a thread", subject: "", code: code)
    }
    self.handle = handle
  }

  /// Waits until the body has returned.
  package consuming func join() {
    pthread_join(handle, nil)
    discard self
  }

  /// Not waited for: the system is to free its stack when the body has returned.
  deinit {
    pthread_detach(handle)
  }

  private final class Start: Sendable {
    let name: StaticString
    let body: @Sendable () -> Void

    init(name: StaticString, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
