import CTestMemory
import Glibc
import Logging
import WAL

/// Lets the first, second, third … allocation of SQLite fail while a log is opened, written, read and closed,
/// until none fails any more. A program of its own, because SQLite's memory is the whole process's.
///
/// Prints how many it tried; ends with 1 and a line for each thing that was lost.
@main struct AllocationFailures {
  private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  private static let consumer = ConsumerName(rawValue: "s3")

  static func main() async throws {
    guard CommandLine.arguments.count == 3, let step = Int(CommandLine.arguments[2]) else {
      print("usage: AllocationFailures FOLDER STEP")
      exit(64)
    }
    guard ctestmemory_install() else {
      print("SQLite's memory cannot be wrapped")
      exit(70)
    }
    var tried = 0
    var problems: [String] = []
    // Each alone, and from each one on all.
    for times in [1, Int.max >> 1] {
      var nth = 1
      while true {
        let path = "\(CommandLine.arguments[1])/\(times == 1 ? "one" : "all")-\(nth).db"
        let (hasFailed, found) = try await run(path, nth: nth, times: times)
        problems += found.map { "allocation \(nth), \(times == 1 ? "alone" : "and all after it"): \($0)" }
        if !hasFailed { break }
        tried += 1
        nth += nth < 25 ? 1 : step
      }
    }
    print("\(tried) failures")
    for problem in problems { print(problem) }
    exit(problems.isEmpty ? 0 : 1)
  }

  private static func ticks(_ count: Int, after head: Int) -> TickBatch {
    var batch = TickBatch()
    for number in head + 1...head + count {
      batch.append(
        receivedAt: Int64(number), eventTime: nil, stream: "btcusdt@trade", payload: payload(number))
    }
    return batch
  }

  private static func payload(_ number: Int) -> String {
    "{\"n\":\(number),\"p\":\"\(String(repeating: "x", count: number % 7 * 900))\"}"
  }

  /// - Returns: whether an allocation failed, and what was wrong afterwards.
  private static func run(_ path: String, nth: Int, times: Int) async throws -> (Bool, [String]) {
    let first = try await TickLog.open(path: path, logger: logger)
    _ = try await first.enable(
      [ConsumerRequest(name: consumer, destination: "{}")], acceptDestinations: false, logger: logger)
    try await first.append(ticks(10, after: 0))
    try await first.close()

    ctestmemory_fail(nth, times)
    var confirmed = 10
    var committed = 1
    do {
      let log = try await TickLog.open(path: path, logger: logger)
      do {
        for _ in 1...4 {
          try await log.append(ticks(10, after: confirmed))
          confirmed += 10
          let next = confirmed - 5
          try await log.write { try $0.commit(consumer, next: Offset(rawValue: Int64(next))) }
          committed = next
        }
        _ = try await read(path)
      } catch is LogError {}
      do { try await log.close() } catch is LogError {}
    } catch is LogError {}
    let hasFailed = ctestmemory_failures() > 0
    ctestmemory_fail(0, 0)

    var problems: [String] = []
    let again = try await TickLog.open(path: path, logger: logger)
    let (payloads, next) = try await read(path)
    if payloads.count < confirmed {
      problems.append("\(confirmed) were confirmed, \(payloads.count) are there")
    }
    if payloads != payloads.indices.map({ payload($0 + 1) }) { problems.append("the payloads are others") }
    if next < committed || next > payloads.count + 1 {
      problems.append("the consumer is at \(next), \(committed) was committed")
    }
    let range = try await again.append(ticks(1, after: payloads.count))
    if range?.lowerBound.rawValue != Int64(payloads.count + 1) { problems.append("offsets are not dense") }
    try await again.close()
    return (hasFailed, problems)
  }

  private static func read(_ path: String) async throws -> (payloads: [String], next: Int) {
    let reader = try await LogReader(path: path)
    do {
      let page = try await reader.page(from: .first, maximumTicks: 10_000)
      let next = try await reader.consumers().first?.next.rawValue ?? 0
      try await reader.close()
      guard page.bad.isEmpty else { return ([], 0) }
      return (page.ticks.entries.map { page.ticks.payload(of: $0) }, Int(next))
    } catch {
      do { try await reader.close() } catch is LogError {}
      throw error
    }
  }
}
