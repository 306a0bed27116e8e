import Base
import Testing

@testable import tickwal

@Suite struct ControlClientsTests {
  @Test func `a line comes in pieces and the answer goes in pieces`() {
    var clients = ControlClients()
    let (id, leaving) = clients.come(at: .zero)
    #expect(leaving == nil && clients.wait(of: id) == .line)
    #expect(clients.hear(Array("he".utf8), from: id) == .more)
    #expect(clients.hear(Array("llo\nmore".utf8), from: id) == .request(Array("hello".utf8)))
    #expect(clients.wait(of: id) == .work)
    clients.answer(id, Array("yes".utf8), at: .seconds(9))
    #expect(clients.wait(of: id) == .reader(Array("yes".utf8)))
    let took = (clients.took(2, id), clients.took(1, id))
    #expect(took == (false, true))
  }

  @Test func `a line without an end is not kept`() {
    var clients = ControlClients()
    let id = clients.come(at: .zero).id
    let piece = [UInt8](repeating: 0x20, count: ControlRequest.maximumBytes)
    #expect(clients.hear(piece, from: id) == .more)
    #expect(clients.hear([0x20], from: id) == .tooLong)
  }

  @Test func `whoever says nothing gives way when there is no place`() {
    var clients = ControlClients()
    let first = clients.come(at: .zero).id
    for _ in 2...ControlClients.limit { #expect(clients.come(at: .zero).leaving == nil) }
    #expect(!clients.isFull)
    _ = clients.hear([0x0A], from: first)
    // The first one waits for its answer, so the second has to go.
    let next = clients.come(at: .zero)
    #expect(
      next.leaving == 1 && clients.wait(of: first) == .work && clients.ids.count == ControlClients.limit)
    for id in clients.ids { _ = clients.hear([0x0A], from: id) }
    #expect(clients.isFull)
  }

  @Test func `time runs for who asks and who reads and not for who waits`() {
    var clients = ControlClients()
    let silent = clients.come(at: .zero).id
    let waiting = clients.come(at: .zero).id
    _ = clients.hear([0x0A], from: waiting)
    #expect(clients.nextDeadline == ControlClients.patience)
    #expect(clients.overdue(at: ControlClients.patience) == [silent])
    clients.leave(silent)
    #expect(clients.overdue(at: .seconds(1_000)).isEmpty && clients.nextDeadline == nil)
    clients.answer(waiting, [1], at: .seconds(1_000))
    #expect(clients.overdue(at: .seconds(1_000) + ControlClients.patience) == [waiting])
    // Of one that is gone.
    clients.leave(waiting)
    clients.answer(waiting, [1], at: .seconds(1_000))
    #expect(clients.isEmpty && clients.took(1, waiting))
  }

  @Test func `a holder that works is waited for and a silent one is named and given up`() {
    var patience = HolderPatience()
    patience.began(at: .seconds(100))
    #expect(patience.waited(isAlive: true, at: .seconds(101)) == .wait)
    #expect(patience.waited(isAlive: false, at: .seconds(102)) == .say)
    #expect(patience.waited(isAlive: false, at: .seconds(103)) == .wait, "once")
    #expect(patience.waited(isAlive: true, at: .seconds(120)) == .wait)
    #expect(patience.waited(isAlive: false, at: .seconds(149)) == .wait)
    #expect(patience.waited(isAlive: false, at: .seconds(150)) == .giveUp(.seconds(30)))
    #expect(patience.waited(isAlive: true, at: .seconds(400)) == .giveUp(.seconds(300)))
  }
}
