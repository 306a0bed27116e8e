import Base
import Glibc

/// The descriptor that is readable when there is mail.
final class WokenSocket: Sendable {
  private let descriptor: FileDescriptor
  var number: Int32 { descriptor.number }

  init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// The thread of the control socket: waits for all clients at once, and does what ``ControlClients`` says.
final class ControlLoop {
  private(set) var listening: ListeningSocket
  private let address: ControlAddress
  private let woken: WokenSocket
  private let takeMail: () -> ControlListener.Mail
  private let hear: (ControlListener.Request) -> Void
  private let missed: (SystemError) -> Void
  private var clients = ControlClients()
  private var descriptors: [ControlClients.ID: Int32] = [:]
  /// Those of whom it is said if they go before their answer.
  private var noted: Set<ControlClients.ID> = []
  private var isStopping = false
  /// The time at which the thread ends, whoever still reads.
  private var end: Duration?
  /// The time until which nobody is accepted, for want of descriptors or memory.
  private var pausedUntil = Duration.zero

  /// The time of the next look whether the socket can still be reached by its name.
  private var nextLook = Duration.zero

  private static let pause = Duration.seconds(1)
  private static let lookPause = Duration.seconds(5)
  private static let lastPatience = Duration.seconds(1)

  init(
    listening: ListeningSocket, address: ControlAddress, woken: WokenSocket,
    takeMail: @escaping () -> ControlListener.Mail,
    hear: @escaping (ControlListener.Request) -> Void,
    missed: @escaping (SystemError) -> Void
  ) {
    self.listening = listening
    self.address = address
    self.woken = woken
    self.takeMail = takeMail
    self.hear = hear
    self.missed = missed
  }

  /// - Throws: `SystemError` if nobody can be heard any more.
  func run() throws(SystemError) {
    while true {
      let now = MonotonicClock.now()
      read(takeMail(), now)
      for id in clients.overdue(at: now) { lose(id, ETIMEDOUT) }
      if let end, clients.isEmpty || end <= now { return }
      if nextLook <= now { nameAnew(now) }
      try turn(now)
    }
  }

  /// Makes the socket anew if somebody has removed it. What cannot be done now may be later.
  private func nameAnew(_ now: Duration) {
    nextLook = now + Self.lookPause
    guard !isStopping, !listening.hasName else { return }
    do throws(SystemError) {
      listening = try ListeningSocket(address)
    } catch {
      // The folder is full, or gone: what is wrong with the log's folder is said by the log.
    }
  }

  func closeAll() {
    for id in clients.ids { close(id) }
  }

  private func read(_ mail: ControlListener.Mail, _ now: Duration) {
    for answer in mail.answers {
      clients.answer(answer.client, answer.line, at: now)
      if answer.isMissed { noted.insert(answer.client) }
    }
    guard mail.isStopping else { return }
    isStopping = true
    for id in clients.ids where clients.wait(of: id) == .line { close(id) }
    guard let farewell = mail.farewell, end == nil else { return }
    end = now + Self.lastPatience
    for id in clients.ids { clients.answer(id, farewell, at: now) }
  }

  /// Waits until something happens, and sees to it.
  private func turn(_ now: Duration) throws(SystemError) {
    let ids = clients.ids
    let isAccepting = !isStopping && !clients.isFull && pausedUntil <= now
    // A descriptor below 0 is passed over: one whose client has gone would end each wait while it is worked for.
    var waiting = [
      pollfd(fd: woken.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: isAccepting ? listening.number : -1, events: Int16(POLLIN), revents: 0),
    ]
    for id in ids {
      switch clients.wait(of: id) {
      case .line: waiting.append(pollfd(fd: descriptors[id] ?? -1, events: Int16(POLLIN), revents: 0))
      case .reader: waiting.append(pollfd(fd: descriptors[id] ?? -1, events: Int16(POLLOUT), revents: 0))
      case .work, nil: waiting.append(pollfd(fd: -1, events: 0, revents: 0))
      }
    }
    let ready = poll(
      &waiting, nfds_t(waiting.count), timeout(now, isPaused: !isStopping && pausedUntil > now))
    guard ready >= 0 || errno == EINTR else { throw SystemError.last("waiting for a connection") }
    guard ready > 0 else { return }
    if waiting[0].revents != 0 { emptyMailbox() }
    for (id, found) in zip(ids, waiting.dropFirst(2)) where found.revents != 0 {
      if case .reader(let rest)? = clients.wait(of: id) { send(rest, to: id) } else { listen(to: id) }
    }
    if waiting[1].revents != 0 { try accept() }
  }

  /// Milliseconds.
  private func timeout(_ now: Duration, isPaused: Bool) -> Int32 {
    let next = [clients.nextDeadline, end, isPaused ? pausedUntil : nil].compactMap(\.self)
      .reduce(nextLook, min)
    return Int32(min(max((next - now) / .milliseconds(1), 0), 60_000).rounded(.up))
  }

  private func emptyMailbox() {
    var buffer = [UInt8](repeating: 0, count: 64)
    while buffer.withUnsafeMutableBytes({ FileBytes.read(woken.number, into: $0) }) > 0 {}
  }

  private func accept() throws(SystemError) {
    // The wait may have been long: a client's time begins now.
    let now = MonotonicClock.now()
    let accepted = Glibc.accept(listening.number, nil, nil)
    guard accepted >= 0 else {
      let code = errno
      // The other side may be gone by now.
      if [ECONNABORTED, EINTR, EAGAIN].contains(code) { return }
      // What the process lacks now it has again later; until then the one who asks waits.
      guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
        throw SystemError(doing: "accepting a connection", subject: "", code: code)
      }
      pausedUntil = now + Self.pause
      return
    }
    guard fcntl(accepted, F_SETFD, FD_CLOEXEC) == 0, fcntl(accepted, F_SETFL, O_NONBLOCK) == 0 else {
      let error = SystemError.last("setting up a connection")
      Glibc.close(accepted)
      throw error
    }
    let (id, leaving) = clients.come(at: now)
    if let leaving { closeDescriptor(of: leaving) }
    descriptors[id] = accepted
  }

  private func listen(to id: ControlClients.ID) {
    guard let descriptor = descriptors[id] else { return }
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = buffer.withUnsafeMutableBytes { FileBytes.read(descriptor, into: $0) }
    if count < 0, errno == EAGAIN { return }
    guard count > 0 else { return close(id) }
    switch clients.hear(buffer[..<count], from: id) {
    case .more: break
    case .tooLong: close(id)
    case .request(let line):
      // Whoever has given up, perhaps while this process was stopped, does not want it done any more.
      if hasGone(descriptor) { close(id) } else { hear(ControlListener.Request(client: id, line: line)) }
    }
  }

  private func hasGone(_ descriptor: Int32) -> Bool {
    var state = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&state, 1, 0) == 1 && state.revents & Int16(POLLHUP) != 0
  }

  private func send(_ rest: [UInt8], to id: ControlClients.ID) {
    guard let descriptor = descriptors[id] else { return }
    let count = rest.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }
    if count < 0 {
      if ![EINTR, EAGAIN].contains(errno) { lose(id, errno) }
      return
    }
    if clients.took(count, id) { close(id) }
  }

  /// Gives a client up.
  private func lose(_ id: ControlClients.ID, _ code: Int32) {
    if noted.contains(id) { missed(SystemError(doing: "writing to the socket", subject: "", code: code)) }
    close(id)
  }

  private func close(_ id: ControlClients.ID) {
    clients.leave(id)
    noted.remove(id)
    closeDescriptor(of: id)
  }

  private func closeDescriptor(of id: ControlClients.ID) {
    if let descriptor = descriptors.removeValue(forKey: id) { Glibc.close(descriptor) }
  }
}
