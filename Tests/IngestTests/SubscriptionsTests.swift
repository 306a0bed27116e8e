import Testing

@testable import Ingest

@Suite struct SubscriptionsTests {
  private let bad = RequestAnswer.Failure(code: 2, message: "Invalid request: invalid stream")
  private let many = RequestAnswer.Failure(code: 4, message: "Too many subscriptions")

  private func started(_ lists: [String]...) -> Subscriptions {
    var subscriptions = Subscriptions()
    let requests = lists.enumerated().map { SubscribeRequest(id: Int64($0.offset + 1), streams: $0.element) }
    #expect(subscriptions.start(requests, at: .zero) == requests)
    return subscriptions
  }

  @Test func `without requests everything is settled`() {
    let subscriptions = started()
    #expect(subscriptions.isSettled && subscriptions.deadline == nil)
  }

  @Test func `a request is answered by its number, or else the first of those that wait`() {
    var subscriptions = started(["a"], ["b"], ["c"])
    #expect(subscriptions.answered(.init(id: 2), at: .zero, random: 0).verdict == .granted(["b"]))
    #expect(subscriptions.answered(.init(id: nil), at: .zero, random: 0).verdict == .granted(["a"]))
    #expect(subscriptions.answered(.init(id: 77), at: .zero, random: 0).verdict == nil)
    #expect(!subscriptions.isSettled)
    #expect(subscriptions.answered(.init(id: 3), at: .zero, random: 0).verdict == .granted(["c"]))
    #expect(subscriptions.isSettled)
    #expect(subscriptions.deadline == nil)
  }

  @Test func `one bad name among many costs one stream, and is known in the end`() {
    let names = (0..<100).map { $0 == 61 ? "bad" : "s\($0)" }
    var subscriptions = started(names)
    var sent = [SubscribeRequest(id: 1, streams: names)]
    var granted: [String] = []
    var named: [[String]] = []
    while let request = sent.popLast() {
      let failure = request.streams.contains("bad") ? bad : nil
      let (verdict, more) = subscriptions.answered(
        .init(id: request.id, failure: failure), at: .zero, random: 0)
      sent += more
      switch verdict {
      case .granted(let streams): granted += streams
      case .refused(let streams, bad, let again):
        #expect((again == nil) == (streams.count > 1))
        if again != nil { named.append(streams) }
      default: Issue.record("\(String(describing: verdict))")
      }
    }
    #expect(Set(granted) == Set(names).subtracting(["bad"]))
    #expect(named == [["bad"]])
    #expect(subscriptions.isSettled)
    #expect(subscriptions.deadline == .seconds(30))
  }

  @Test func `what is no matter of names is asked for again as it is, ever later`() {
    var subscriptions = started(["a", "b"])
    let first = subscriptions.answered(.init(id: 1, failure: many), at: .zero, random: 0)
    #expect(first.verdict == .refused(["a", "b"], many, again: .seconds(1)) && first.requests == [])
    #expect(subscriptions.isSettled)
    #expect(subscriptions.due(at: .milliseconds(999), random: 0).requests == [])
    let again = subscriptions.due(at: .seconds(1), random: 0)
    #expect(again.requests == [SubscribeRequest(id: 2, streams: ["a", "b"])] && again.verdicts == [])
    let second = subscriptions.answered(.init(id: 2, failure: many), at: .seconds(1), random: 0)
    #expect(second.verdict == .refused(["a", "b"], many, again: .seconds(2)))
    _ = subscriptions.due(at: .seconds(3), random: 0)
    #expect(subscriptions.answered(.init(id: 3), at: .seconds(3), random: 0).verdict == .granted(["a", "b"]))
    #expect(subscriptions.deadline == nil)
  }

  @Test
  func `a request that is never answered counts as refused if another one was, and its answer still counts`()
  {
    var subscriptions = started(["a"], ["b"])
    _ = subscriptions.answered(.init(id: 1), at: .seconds(1), random: 0)
    #expect(!subscriptions.isSettled)
    let due = subscriptions.due(at: .milliseconds(20_250), random: 0)
    #expect(due.verdicts == [.refused(["b"], nil, again: .seconds(1))])
    #expect(subscriptions.isSettled)
    #expect(subscriptions.answered(.init(id: 2), at: .seconds(21), random: 0).verdict == .granted(["b"]))
    #expect(subscriptions.deadline == nil)
  }

  @Test func `an exchange that answers nothing never has the connection open`() {
    var subscriptions = started(["a"], ["b"])
    #expect(subscriptions.due(at: .seconds(21), random: 0).verdicts.count == 2)
    #expect(!subscriptions.isSettled)
    _ = subscriptions.due(at: .seconds(23), random: 0)
    _ = subscriptions.answered(.init(id: 3), at: .seconds(23), random: 0)
    #expect(subscriptions.isSettled)
  }

  @Test func `an error of no request is said`() {
    var subscriptions = started(["a"])
    _ = subscriptions.answered(.init(id: 1), at: .zero, random: 0)
    #expect(
      subscriptions.answered(.init(id: nil, failure: many), at: .zero, random: 0).verdict == .said(many))
    #expect(subscriptions.answered(.init(id: 9, failure: many), at: .zero, random: 0).verdict == .said(many))
  }
}
