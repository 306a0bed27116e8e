import NIOCore
import NIOSSL
import NIOWebSocket
import WAL

/// Whom a connection reports to, and asks whether it may go on reading.
protocol FeedConnectionOwner: AnyObject {
  /// False while the log's queue is full: then TCP holds the server back.
  var mayRead: Bool { get }
  func opened(_ connection: FeedConnection)
  func received(_ delivery: Delivery, from connection: FeedConnection)
  /// The server has announced that it will end the connection.
  func serverWillClose(_ connection: FeedConnection)
  /// Called once, after everything that was received has been handed over.
  func ended(_ connection: FeedConnection, _ reason: FeedError)
}

/// One WebSocket to the exchange: opens it, answers pings, and turns each read of the socket into a delivery.
///
/// Added to a channel that is active already and does not read by itself.
final class FeedConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Bytes of one message, whole or in fragments.
  static let maximumMessage = 16 << 20

  private enum State {
    case opening(Handshake)
    case open
    case ended
  }

  let id: FeedSession.ConnectionID
  private unowned let owner: any FeedConnectionOwner
  private let wallClock: @Sendable () -> Int64
  private var state: State
  private var frames: FrameReader
  private var decoder: MessageDecoder
  private var received = ByteBuffer()
  private var delivery = Delivery()
  private var lastSize = (ticks: 0, bytes: 0)
  private var context: ChannelHandlerContext?
  private var isPaused = false
  /// Gets each data message in place of the decoder, for a test of the protocol.
  private let echo: Echo?

  typealias Echo = (_ connection: FeedConnection, _ message: ByteBuffer, _ isText: Bool) -> Void

  /// - Parameter echo: makes it a plain WebSocket client, which answers messages instead of decoding them and
  ///   takes no text that is not UTF-8. The feed does: it keeps such a message as a dead letter, because an
  ///   exchange that repeats it would end every connection, and all good ticks on it, again and again.
  init(
    id: FeedSession.ConnectionID, address: FeedAddress, owner: any FeedConnectionOwner,
    wallClock: @escaping @Sendable () -> Int64, echo: Echo? = nil
  ) {
    self.id = id
    self.owner = owner
    self.wallClock = wallClock
    self.echo = echo
    frames = FrameReader(maximumMessage: Self.maximumMessage, refusesBadText: echo != nil)
    state = .opening(Handshake(address: address))
    decoder = MessageDecoder(urlStream: address.rawStream)
  }

  // MARK: What the owner asks for

  /// Goes on reading after ``FeedConnectionOwner/mayRead`` was false.
  func resume() {
    guard isPaused else { return }
    isPaused = false
    context?.read()
  }

  /// Ends the connection in an orderly way: what was received is handed over, nothing more is read.
  func close() {
    if case .open = state { sendClose(code: 1000) }
    end(FeedError(.closed(code: nil), "closed by this side"))
  }

  // MARK: Reading

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    begin(context)
  }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  private func begin(_ context: ChannelHandlerContext) {
    guard case .opening(let handshake) = state else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: handshake.request)), promise: nil)
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .ended = state { return }
    if delivery.receivedAt == 0 { delivery.receivedAt = wallClock() }
    var bytes = unwrapInboundIn(data)
    do {
      if received.readableBytes == 0 {
        received = bytes
      } else {
        received.discardReadBytes()
        if case .open = state {
          received.reserveCapacity(
            minimumWritableBytes: max(bytes.readableBytes, try frames.missing(in: received)))
        }
        received.writeBuffer(&bytes)
      }
      try readOn()
    } catch {
      refuse(error)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    handOver()
    switch state {
    case .opening: context.read()
    case .open:
      if owner.mayRead {
        context.read()
      } else {
        isPaused = true
      }
    case .ended: break
    }
    context.fireChannelReadComplete()
  }

  private func readOn() throws(FeedError) {
    if case .opening(var handshake) = state {
      let progress = try handshake.receive(&received)
      guard progress == .upgraded else {
        state = .opening(handshake)
        return
      }
      state = .open
      owner.opened(self)
    }
    while case .open = state, let item = try frames.next(&received) {
      switch item {
      case .message(let message, let isText):
        if let echo {
          echo(self, message, isText)
        } else {
          take(message)
        }
      case .ping(let payload):
        send(ClientFrame.bytes(.pong, payload: payload, mask: .random()))
      case .pong: break
      case .close(let code, let reason):
        sendClose(code: code)
        let said = code.map { "with code \($0)" } ?? "without a code"
        let why = reason.isEmpty ? "" : ": \(reason)"
        end(FeedError(.closed(code: code), "the server closed the connection \(said)\(why)"))
      }
    }
  }

  private func take(_ message: ByteBuffer) {
    if delivery.isEmpty { delivery.ticks.reserveCapacity(ticks: lastSize.ticks, bytes: lastSize.bytes) }
    let outcome = message.withUnsafeReadableBytes { bytes in
      delivery.add(bytes.bindMemory(to: UInt8.self), decoder: &decoder)
    }
    switch outcome {
    case .serverShutdown: owner.serverWillClose(self)
    case .ticks, .rejected, .answer: break
    }
  }

  private func handOver() {
    defer { delivery = Delivery() }
    guard !delivery.isEmpty else { return }
    lastSize = (delivery.ticks.count, delivery.ticks.byteCount)
    owner.received(delivery, from: self)
  }

  // MARK: Ending

  func channelInactive(context: ChannelHandlerContext) {
    if case .opening(var handshake) = state {
      end(handshake.end(&received))
    } else {
      end(FeedError(.closed(code: nil), "the connection was closed without a word"))
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The server's end without TLS's own goodbye is an end like any other.
    if let error = error as? NIOSSLError, error == .uncleanShutdown { return }
    if let error = error as? FeedError { return refuse(error) }
    let isTLS = error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
    end(FeedError(isTLS ? .tlsFailed : .closed(code: nil), "\(error)"))
  }

  /// Ends the connection because the server did something that cannot be gone on from.
  private func refuse(_ error: FeedError) {
    if case .open = state { sendClose(code: Self.closeCode(error)) }
    end(error)
  }

  /// Reference: RFC 6455, section 7.4.1
  private static func closeCode(_ error: FeedError) -> Int {
    switch error.code {
    case .messageTooLarge: 1009
    case .badText: 1007
    default: 1002
    }
  }

  private func end(_ reason: FeedError) {
    if case .ended = state { return }
    state = .ended
    handOver()
    received = ByteBuffer()
    owner.ended(self, reason)
    context?.close(promise: nil)
  }

  private func sendClose(code: Int?) {
    send(ClientFrame.close(code: code, mask: .random()))
  }

  func send(_ frame: ByteBuffer) {
    context?.writeAndFlush(wrapOutboundOut(frame), promise: nil)
  }
}
