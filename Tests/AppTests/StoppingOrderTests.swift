import Testing

@testable import tickwal

@Suite struct StoppingOrderTests {
  private typealias Event = StoppingOrder.Event
  private typealias Action = StoppingOrder.Action

  private func actions(_ events: [Event], hasFeed: Bool = true, drains: Bool = false) -> [[Action]] {
    var order = StoppingOrder(hasFeed: hasFeed, drains: drains)
    return events.map { order.handle($0) }
  }

  @Test(arguments: [(false, StoppingOrder.Action.stopLoops), (true, .drainLoops)])
  func `the feed ends first, then the loops, then all`(drains: Bool, ending: StoppingOrder.Action) {
    let all = actions(
      [.opened(loops: 2), .signal, .feedEnded, .loopEnded, .loopEnded], drains: drains)
    #expect(all == [[], [.beginStopping], [ending], [], [.finish]])
  }

  @Test func `without a feed the loops drain from the start, and a signal stops them even so`() {
    for drains in [false, true] {
      let undisturbed = actions([.opened(loops: 1), .loopEnded], hasFeed: false, drains: drains)
      #expect(undisturbed == [[.drainLoops], [.finish]])
      let stopped = actions([.opened(loops: 1), .signal, .loopEnded], hasFeed: false, drains: drains)
      #expect(stopped == [[.drainLoops], [.beginStopping, .stopLoops], [.finish]])
    }
  }

  @Test func `where nothing ships the feed is all there is to be ended`() {
    #expect(
      actions([.opened(loops: 0), .signal, .feedEnded]) == [[], [.beginStopping], [.finish]])
    #expect(actions([.opened(loops: 0)], hasFeed: false) == [[.finish]])
  }

  @Test func `a signal before the log is open ends the process`() {
    #expect(actions([.signal]) == [[.endBeforeOpening]])
    #expect(actions([.signal], hasFeed: false) == [[.endBeforeOpening]])
  }

  @Test
  func `a log that is lost ends the feed, and everything is shipped until time is up or a signal comes`() {
    #expect(
      actions([.opened(loops: 1), .logLost, .feedEnded, .loopEnded])
        == [[], [.beginStopping], [.drainLoops], [.finish]])
    #expect(
      actions([.opened(loops: 1), .logLost, .feedEnded, .timeUp, .loopEnded])
        == [[], [.beginStopping], [.drainLoops], [.callOff], [.finish]])
    #expect(
      actions([.opened(loops: 1), .logLost, .feedEnded, .signal, .signal])
        == [[], [.beginStopping], [.drainLoops], [.stopLoops], [.endAtOnce]])
    #expect(
      actions([.opened(loops: 1), .logLost, .signal, .feedEnded])
        == [[], [.beginStopping], [], [.stopLoops]])
    #expect(
      actions([.opened(loops: 1), .logLost, .loopEnded], hasFeed: false) == [
        [.drainLoops], [.beginStopping], [.finish],
      ])
    // It ends already.
    #expect(
      actions([.opened(loops: 1), .signal, .logLost, .feedEnded]) == [[], [.beginStopping], [], [.stopLoops]])
  }

  @Test func `time that is up calls off once, and everything still ends`() {
    let all = actions([.opened(loops: 1), .signal, .timeUp, .timeUp, .feedEnded, .loopEnded])
    #expect(all == [[], [.beginStopping], [.callOff], [], [.stopLoops], [.finish]])
    #expect(actions([.opened(loops: 1), .timeUp]) == [[], []])
  }

  @Test func `a second signal ends at once, wherever the stopping is`() {
    let all = actions([.opened(loops: 1), .signal, .signal, .feedEnded, .signal, .timeUp, .signal])
    #expect(
      all == [[], [.beginStopping], [.endAtOnce], [.stopLoops], [.endAtOnce], [.callOff], [.endAtOnce]])
  }

  /// All orders of what can happen, against what must hold in each.
  @Test(arguments: [false, true], [false, true])
  func `every order keeps the promises`(hasFeed: Bool, drains: Bool) {
    let events: [Event] =
      [.signal, .signal, .timeUp, .loopEnded, .loopEnded] + (hasFeed ? [.feedEnded] : [])
    for rest in permutations(events) {
      var order = StoppingOrder(hasFeed: hasFeed, drains: drains)
      var seen: [Event] = []
      var all: [Action] = []
      for event in [.opened(loops: 2)] + rest {
        let now = order.handle(event)
        seen.append(event)
        all += now
        let isDone =
          seen.filter { $0 == .loopEnded }.count == 2 && (!hasFeed || seen.contains(.feedEnded))
        #expect(all.contains(.finish) == isDone, "\(seen)")
        if event == .signal { #expect(now.contains(.endAtOnce) == (seen.filter { $0 == .signal }.count > 1)) }
        if now.contains(.stopLoops) { #expect(hasFeed ? event == .feedEnded && !drains : event == .signal) }
        if now.contains(.drainLoops) {
          #expect(hasFeed ? event == .feedEnded && drains : event == .opened(loops: 2))
        }
        if now.contains(.callOff) { #expect(event == .timeUp && seen.contains(.signal)) }
      }
      for action in [Action.finish, .beginStopping, .endAtOnce] {
        #expect(all.filter { $0 == action }.count == 1, "\(action) in \(rest)")
      }
      #expect(!all.contains(.endBeforeOpening))
    }
  }

  private func permutations(_ events: [Event]) -> [[Event]] {
    guard events.count > 1 else { return [events] }
    return events.indices.flatMap { index in
      var rest = events
      let first = rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }
}
