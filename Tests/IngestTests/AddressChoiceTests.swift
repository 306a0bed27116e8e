import NIOCore
import Testing

@testable import Ingest

@Suite struct AddressChoiceTests {
  private let one: SocketAddress
  private let two: SocketAddress
  private let six: SocketAddress
  private var choice = AddressChoice()

  init() throws {
    one = try SocketAddress(ipAddress: "127.0.0.2", port: 80)
    two = try SocketAddress(ipAddress: "127.0.0.3", port: 80)
    six = try SocketAddress(ipAddress: "::1", port: 80)
  }

  private mutating func expect(
    _ wanted: [SocketAddress], of found: [SocketAddress], at second: Int = 0,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let chosen = choice.addresses(among: found, at: .seconds(second))
    #expect(chosen == wanted, sourceLocation: sourceLocation)
  }

  @Test mutating func `an address that was no good is left out`() {
    expect([one, two, six], of: [one, two, six])
    choice.failed([two], at: .zero)
    expect([one, six], of: [one, two, six])
    choice.failed([one], at: .zero)
    expect([six], of: [one, two, six])
  }

  @Test mutating func `when all were no good they begin anew`() {
    choice.failed([one], at: .zero)
    choice.failed([two], at: .zero)
    expect([one, two], of: [one, two])
    choice.failed([one], at: .zero)
    expect([two], of: [one, two])
    expect([one], of: [one])
  }

  @Test mutating func `one that has opened a connection, or failed ten minutes ago, is as good as any`() {
    choice.failed([one, two], at: .zero)
    choice.opened(one)
    expect([one], of: [one, two], at: 599)
    expect([one, two], of: [one, two], at: 600)
  }

  @Test mutating func `a name that leads elsewhere each time is remembered in part`() throws {
    for number in 0..<200 {
      choice.failed([try SocketAddress(ipAddress: "10.0.0.\(number)", port: 80)], at: .zero)
    }
    let last = try SocketAddress(ipAddress: "10.0.0.199", port: 80)
    let first = try SocketAddress(ipAddress: "10.0.0.0", port: 80)
    expect([first], of: [first, last])
  }
}
