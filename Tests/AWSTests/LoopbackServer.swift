import Foundation
import Synchronization

/// A small HTTP server on 127.0.0.1 that does as it is told, misbehaviour included.
///
/// One thread accepts, one serves each connection; `stop` ends them all.
final class LoopbackServer: Sendable {
  struct Received: Sendable {
    /// Counts connections from 1.
    var connection: Int
    /// Counts requests on that connection from 1.
    var number: Int
    var line: String
    var headers: [String: String]
    var body: [UInt8]
  }

  enum Reply: Sendable {
    case answer(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = [])
    /// These bytes, then on with the connection.
    case bytes(String)
    /// These bytes one by one.
    case trickle(String)
    /// These bytes, then the end of the connection.
    case bytesAndClose(String)
    /// These bytes, then a reset.
    case bytesAndReset(String)
    /// Nothing, until the client goes away.
    case silence
  }

  private struct State {
    var received: [Received] = []
    var sockets: Set<Int32> = []
    var connections = 0
    var abandoned = 0
  }

  let port: Int
  private let listener: Int32
  private let handler: @Sendable (Received) -> Reply
  private let state = Mutex(State())
  private let changes: AsyncStream<Void>.Continuation
  private let changeStream: AsyncStream<Void>

  init(_ handler: @escaping @Sendable (Received) -> Reply = { _ in .answer() }) throws {
    self.handler = handler
    (changeStream, changes) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let socket = listener
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(socket, address, length) == 0 && listen(socket, 128) == 0
          && getsockname(socket, address, &length) == 0
      }
    }
    guard result else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [self] in accept() }
  }

  var received: [Received] { state.withLock { $0.received } }
  var connections: Int { state.withLock { $0.connections } }
  /// Silent connections that the client gave up.
  var abandoned: Int { state.withLock { $0.abandoned } }

  /// Waits until the condition holds, looking at it whenever something has happened.
  func wait(until condition: (LoopbackServer) -> Bool) async {
    if condition(self) { return }
    for await _ in changeStream where condition(self) { return }
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    state.withLock { for socket in $0.sockets { shutdown(socket, Int32(SHUT_RDWR)) } }
  }

  private func accept() {
    while true {
      let socket = Glibc.accept(listener, nil, nil)
      guard socket >= 0 else { return }
      let number = state.withLock { state in
        state.connections += 1
        state.sockets.insert(socket)
        return state.connections
      }
      Thread.detachNewThread { [self] in
        serve(socket, connection: number)
        _ = state.withLock { $0.sockets.remove(socket) }
        close(socket)
        changes.yield()
      }
    }
  }

  private func serve(_ socket: Int32, connection: Int) {
    var input: [UInt8] = []
    var number = 0
    while var request = read(socket, &input) {
      number += 1
      request.connection = connection
      request.number = number
      state.withLock { $0.received.append(request) }
      changes.yield()
      switch handler(request) {
      case .answer(let status, let headers, let body):
        var head = "HTTP/1.1 \(status) X\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if headers["Content-Length"] == nil { head += "Content-Length: \(body.count)\r\n" }
        write(socket, Array("\(head)\r\n".utf8) + body)
      case .bytes(let text): write(socket, Array(text.utf8))
      case .trickle(let text): for byte in text.utf8 { write(socket, [byte]) }
      case .bytesAndClose(let text):
        write(socket, Array(text.utf8))
        return
      case .bytesAndReset(let text):
        write(socket, Array(text.utf8))
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        return
      case .silence:
        var byte: UInt8 = 0
        while recv(socket, &byte, 1, 0) > 0 {}
        state.withLock { $0.abandoned += 1 }
        return
      }
    }
  }

  private func read(_ socket: Int32, _ input: inout [UInt8]) -> Received? {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    var head: Received?
    var needed = 0
    while true {
      if head == nil, let end = Self.end(of: input) {
        let lines = String(decoding: input[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
          let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
          headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        head = Received(connection: 0, number: 0, line: lines[0], headers: headers, body: [])
        needed = Int(headers["content-length"] ?? "0") ?? 0
        input.removeFirst(end + 4)
      }
      if var head, input.count >= needed {
        head.body = Array(input[..<needed])
        input.removeFirst(needed)
        return head
      }
      let count = recv(socket, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      input += chunk[..<count]
    }
  }

  private func write(_ socket: Int32, _ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Where the header's last line ends.
  private static func end(of input: [UInt8]) -> Int? {
    guard input.count >= 4 else { return nil }
    return (0...(input.count - 4)).first { input[$0..<($0 + 4)].elementsEqual([13, 10, 13, 10]) }
  }
}
