import Testing

@testable import tickwal

@Suite struct OpenFileBudgetTests {
  private func budget(
    _ limit: Int, cores: Int = 2, slots: Int = 1, consumers: Int = 2, deliveries: Int = 304
  ) -> OpenFileBudget {
    OpenFileBudget(limit: limit, cores: cores, slots: slots, consumers: consumers, deliveries: deliveries)
  }

  @Test(arguments: [24, 40])
  func `a limit that leaves nothing is refused by name with what is needed`(limit: Int) throws {
    let budget = budget(limit)
    let failure = #expect(throws: CommandFailure.self) { try budget.check() }
    #expect(failure?.exitCode == .badValue)
    let line = try #require(failure?.lines.first)
    #expect(line.hasPrefix("RLIMIT_NOFILE is '\(limit)' (the limit of open files) but must be at least"))
    #expect(line.contains("ulimit -n \(budget.minimum)") && line.contains("LimitNOFILE=\(budget.minimum)"))
  }

  @Test(arguments: [64, 256, 1_024])
  func `connections never take more than the limit leaves`(limit: Int) throws {
    let budget = budget(limit)
    try budget.check()
    #expect(budget.connections >= 1 && budget.isShort)
    #expect(budget.reserved + budget.connections * OpenFileBudget.filesPerConnection <= limit)
  }

  @Test func `where there is room the settings decide`() throws {
    let roomy = budget(1 << 20)
    #expect(!roomy.isShort && roomy.connections == 304 + OpenFileBudget.otherConnections)
    let local = budget(256, deliveries: 0)
    try local.check()
    #expect(!local.isShort)
  }

  @Test func `a long list of streams and many cores need more`() {
    #expect(budget(0, slots: 100).minimum - budget(0).minimum == 297)
    #expect(budget(0, cores: 64).minimum - budget(0).minimum == 186)
    #expect(budget(0, cores: 64, slots: 0).minimum < budget(0).minimum)
  }
}
