import Base
import CCurl
import CGlibc
import Glibc

/// The sockets that curl waits for, in one epoll set, and the time at which it wants to be called without any.
///
/// So curl is told which sockets have something, and does not ask each of them whenever it is called. A connection's
/// socket stays in the set while no request uses it: the next one then costs no system call. Only curl's thread touches
/// this.
///
/// Reference: https://curl.se/libcurl/c/curl_multi_socket_action.html
final class CurlSockets {
  private static let eventsAtOnce = 64
  /// The pause after which sockets that the set does not take are asked one by one.
  private static let pause = Duration.milliseconds(20)

  /// What is in the set for a socket, and what curl wants to know of it now; masks of epoll.
  private struct Entry {
    var inSet: UInt32 = 0
    var wanted: UInt32 = 0
    /// Made for a connection, and so told when it is closed. Others leave the set when curl wants nothing of them.
    let isKept: Bool
  }

  private let set: Int32
  private let wakeup: WakeUp
  private var entries: [curl_socket_t: Entry] = [:]
  /// Sockets that the set has not taken: the system has no room for more.
  private var untaken: Set<curl_socket_t> = []
  private var events = [epoll_event](repeating: epoll_event(), count: eventsAtOnce)
  /// On the monotonic clock; `nil` for never.
  private(set) var dueAt: Duration?

  /// - Parameter wakeup: ends a wait.
  init(wakeup: WakeUp) throws(SystemError) {
    self.wakeup = wakeup
    set = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard set >= 0 else { throw SystemError(doing: "making an epoll set", subject: "", code: errno) }
    guard control(EPOLL_CTL_ADD, wakeup.descriptor, EPOLLIN.rawValue) else {
      let code = errno
      close(set)
      throw SystemError(doing: "watching for mail", subject: "", code: code)
    }
  }

  deinit { close(set) }

  /// Has curl tell what it wants to wait for; until `curl_multi_cleanup`, this must stay where it is.
  func attach(to multi: UnsafeMutableRawPointer) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, this)
    curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, this)
    curl_multi_set_socket(multi) { _, socket, what, this, _ in
      CurlSockets.from(this).want(socket, what)
      return 0
    }
    curl_multi_set_timer(multi) { _, milliseconds, this in
      CurlSockets.from(this).dueAt =
        milliseconds < 0 ? nil : MonotonicClock.now() + .milliseconds(milliseconds)
      return 0
    }
  }

  static func from(_ this: UnsafeMutableRawPointer?) -> CurlSockets {
    guard let this else { preconditionFailure("curl lost its user data") }
    return Unmanaged<CurlSockets>.fromOpaque(this).takeUnretainedValue()
  }

  // MARK: The set

  /// A socket was made for a connection.
  func opened(_ socket: curl_socket_t) { entries[socket] = Entry(isKept: true) }

  /// A connection's socket is about to be closed, and leaves the set by that.
  func closing(_ socket: curl_socket_t) {
    entries[socket] = nil
    untaken.remove(socket)
  }

  private func want(_ socket: curl_socket_t, _ what: Int32) {
    var entry = entries[socket] ?? Entry(isKept: false)
    switch what {
    case CURL_POLL_IN: entry.wanted = EPOLLIN.rawValue
    case CURL_POLL_OUT: entry.wanted = EPOLLOUT.rawValue
    case CURL_POLL_INOUT: entry.wanted = EPOLLIN.rawValue | EPOLLOUT.rawValue
    default: entry.wanted = 0
    }
    if entry.wanted == 0 {
      untaken.remove(socket)
      // What can always be written would wake for ever.
      if !entry.isKept || entry.inSet & EPOLLOUT.rawValue != 0 { leave(socket, &entry) }
    } else if entry.wanted != entry.inSet {
      enter(socket, &entry)
    }
    entries[socket] = entry.isKept || entry.wanted != 0 ? entry : nil
  }

  private func enter(_ socket: curl_socket_t, _ entry: inout Entry) {
    let isIn =
      control(entry.inSet == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, entry.wanted)
      || (errno == EEXIST && control(EPOLL_CTL_MOD, socket, entry.wanted))
      || (errno == ENOENT && control(EPOLL_CTL_ADD, socket, entry.wanted))
    entry.inSet = isIn ? entry.wanted : 0
    if isIn { untaken.remove(socket) } else { untaken.insert(socket) }
  }

  private func leave(_ socket: curl_socket_t, _ entry: inout Entry) {
    if entry.inSet != 0 { _ = control(EPOLL_CTL_DEL, socket, 0) }
    entry.inSet = 0
  }

  private func control(_ operation: Int32, _ socket: curl_socket_t, _ events: UInt32) -> Bool {
    var event = epoll_event()
    event.events = events
    event.data.fd = socket
    return epoll_ctl(set, operation, socket, &event) == 0
  }

  // MARK: Waiting

  /// Waits until a socket has something, the time has come, or somebody wakes; then lets curl go on.
  ///
  /// - Parameter limit: the longest wait; zero for a look.
  /// - Returns: the first result that is no success.
  func wait(_ multi: UnsafeMutableRawPointer, atMost limit: Duration) -> CURLMcode {
    var timeout = limit
    if let dueAt { timeout = min(timeout, max(.zero, dueAt - MonotonicClock.now())) }
    if !untaken.isEmpty { timeout = min(timeout, Self.pause) }
    // Rounded up: awake too early it would only sleep again.
    let milliseconds = (timeout + .nanoseconds(999_999)).wholeMilliseconds
    let count = epoll_wait(set, &events, Int32(events.count), Int32(clamping: milliseconds))
    var result = CURLM_OK
    for event in events.prefix(max(0, Int(count))) { act(multi, event, &result) }
    for socket in untaken { act(multi, socket, 0, &result) }
    return act(multi, result)
  }

  /// Lets curl do what it wants to do without any socket, if it is time.
  func act(_ multi: UnsafeMutableRawPointer, _ result: CURLMcode = CURLM_OK) -> CURLMcode {
    var result = result
    guard let dueAt, dueAt <= MonotonicClock.now() else { return result }
    self.dueAt = nil
    act(multi, curl_socket_t(-1), 0, &result)
    return result
  }

  private func act(_ multi: UnsafeMutableRawPointer, _ event: epoll_event, _ result: inout CURLMcode) {
    let socket = event.data.fd
    guard socket != wakeup.descriptor else { return wakeup.hear() }
    guard var entry = entries[socket] else { return }
    guard entry.wanted != 0 else {
      // The server has closed a connection that nobody uses, most likely: curl finds that out when it wants to use it.
      leave(socket, &entry)
      entries[socket] = entry
      return
    }
    var what: Int32 = 0
    if event.events & EPOLLIN.rawValue != 0 { what |= CURL_CSELECT_IN }
    if event.events & EPOLLOUT.rawValue != 0 { what |= CURL_CSELECT_OUT }
    if event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { what |= CURL_CSELECT_ERR }
    act(multi, socket, what, &result)
  }

  private func act(
    _ multi: UnsafeMutableRawPointer, _ socket: curl_socket_t, _ what: Int32, _ result: inout CURLMcode
  ) {
    var running: Int32 = 0
    let code = curl_multi_socket_action(multi, socket, what, &running)
    if result == CURLM_OK { result = code }
  }
}
