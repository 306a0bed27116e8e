import Base
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Base

@Suite struct ThreadsTests {
  @Test func `a latch gives its first value to all who wait`() async throws {
    let latch = Latch<Int>()
    #expect(latch.value == nil)
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await latch.wait() } }
      latch.set(1)
      latch.set(2)
      for try await value in group { #expect(value == 1) }
    }
    #expect(latch.value == 1)
    #expect(try await latch.wait() == 1)
  }

  @Test func `waiting for a latch ends with its task`() async throws {
    let latch = Latch<Int>()
    let early = Task { try await latch.wait() }
    early.cancel()
    await #expect(throws: CancellationError.self) { try await early.value }
    let waiting = (0..<200).map { _ in Task { try await latch.wait() } }
    for task in waiting { task.cancel() }
    for task in waiting {
      await #expect(throws: CancellationError.self) { try await task.value }
    }
    latch.set(3)
    #expect(try await latch.wait() == 3)
  }

  @Test func `a watch wakes those whose value has come and no others`() async throws {
    let watch = Watch(5)
    #expect(try await watch.wait { $0 > 4 } == 5)
    let six = Task { try await watch.wait { $0 > 5 } }
    let ten = Task { try await watch.wait { $0 > 9 } }
    watch.update { $0 = 6 }
    #expect(try await six.value == 6)
    #expect(watch.value == 6)
    watch.update { $0 = 9 }
    watch.update { $0 = 12 }
    #expect(try await ten.value == 12)
    let never = Task { try await watch.wait { $0 > 12 } }
    never.cancel()
    await #expect(throws: CancellationError.self) { try await never.value }
  }

  /// The last job may let go of the last reference to the actor, and to its executor with it, while that job is
  /// still being handed over.
  @Test func `an actor may go away with its last job`() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for round in 0..<4_000 {
            let fleeting = Fleeting()
            #expect(await fleeting.echo(round) == round)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func `a monitor wakes its thread for every signal`() throws {
    let monitor = Monitor([Int]())
    let received = Collected()
    let thread = try DedicatedThread {
      while received.count < 1_000 {
        let values: [Int] = monitor.wait { state in
          guard !state.isEmpty else { return .sleep }
          defer { state.removeAll() }
          return .done(state)
        }
        received.append(values)
      }
    }
    for value in 0..<1_000 {
      monitor.withLock { $0.append(value) }
      monitor.signal()
    }
    thread.join()
    #expect(received.all == Array(0..<1_000))
  }

  @Test func `a monitor wakes by itself when its time is over`() {
    let monitor = Monitor(0)
    let start = MonotonicClock.now()
    let rounds: Int = monitor.wait { state in
      state += 1
      return MonotonicClock.now() - start >= .milliseconds(20) ? .done(state) : .sleepFor(.milliseconds(20))
    }
    #expect(rounds >= 2)
  }

  private actor Worker {
    private let executor = try! ThreadExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private var count = 0

    nonisolated var tasks: ThreadExecutor.Tasks { executor.tasks }

    func thread() -> pthread_t { pthread_self() }
    func add() -> Int {
      count += 1
      return count
    }
  }

  @Test func `an actor on its own thread stays there and runs one job at a time`() async {
    let worker = Worker()
    let thread = await worker.thread()
    await withTaskGroup(of: Int.self) { group in
      for _ in 0..<500 { group.addTask { await worker.add() } }
      var seen = Set<Int>()
      for await count in group { seen.insert(count) }
      #expect(seen == Set(1...500))
    }
    #expect(await worker.thread() == thread)
    #expect(await Worker().thread() != thread)
  }

  @Test func `an actor's thread makes calls at their times, the earliest first`() async {
    let worker = Worker()
    let thread = await worker.thread()
    let calls = Collected()
    let isFree = Monitor(false)
    worker.tasks.call(at: .zero) { isFree.wait { $0 ? .done(()) : .sleep } }
    // Far away: must hold up neither those before it nor the end of the thread.
    let now = MonotonicClock.now()
    worker.tasks.call(at: now + .seconds(3_600)) { calls.append([0]) }
    await withCheckedContinuation { continuation in
      worker.tasks.call(at: now + .milliseconds(20)) {
        #expect(pthread_self() == thread && MonotonicClock.now() >= now + .milliseconds(20))
        calls.append([3])
        continuation.resume()
      }
      worker.tasks.call(at: now) { calls.append([2]) }
      worker.tasks.call(at: now - .seconds(1)) { calls.append([1]) }
      isFree.withLock { $0 = true }
      isFree.signal()
    }
    #expect(calls.all == [1, 2, 3])
    #expect(await worker.add() == 1)
  }

  @Test func `a thread has the name that it was given`() throws {
    let name = Mutex("")
    try DedicatedThread(named: "log-writer") {
      let path = "/proc/thread-self/comm"
      name.withLock { $0 = (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    }.join()
    #expect(name.withLock { $0 } == "log-writer\n")
  }

  @Test func `a whole task stays on an actor's thread, with what it starts, and gets its answers`() async {
    let thread: pthread_t
    let sum: Int
    do {
      let worker = Worker()
      thread = await worker.thread()
      let tasks = worker.tasks
      sum = await withTaskExecutorPreference(tasks) {
        #expect(pthread_self() == thread)
        return await withTaskGroup(of: Int.self) { group in
          for _ in 0..<100 {
            group.addTask {
              #expect(pthread_self() == thread)
              let count = await worker.add()
              await Task.yield()
              #expect(pthread_self() == thread)
              return count
            }
          }
          return await group.reduce(0, +)
        }
      }
    }
    #expect(sum == 5_050)
    #expect(pthread_self() != thread)
  }

  @Test func `a task goes on where its actor is gone, and the thread ends after it`() async throws {
    let threads = try threadCount()
    for _ in 0..<200 {
      var worker: Worker? = Worker()
      let tasks = try #require(worker?.tasks)
      worker = nil
      let count = await withTaskExecutorPreference(tasks) {
        await Task.yield()
        return 1
      }
      #expect(count == 1)
    }
    #expect(try await eventually { try threadCount() < threads + 100 })
  }

  @Test func `threads end with their actors and their stacks are freed`() async throws {
    let threads = try threadCount()
    let bytes = try addressSpace()
    for _ in 0..<1_000 { _ = await Worker().add() }
    // Other tests start threads of their own meanwhile, but not hundreds.
    #expect(try await eventually { try threadCount() < threads + 500 })
    #expect(try addressSpace() - bytes < 4 << 30)
  }

  private func threadCount() throws -> Int {
    let stream = try #require(opendir("/proc/self/task"))
    defer { closedir(stream) }
    var count = 0
    while readdir(stream) != nil { count += 1 }
    return count
  }

  /// Bytes, most of them never touched: a stack takes 8 MiB of it.
  private func addressSpace() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    return try #require(Int(text.prefix { $0 != " " })) * Int(getpagesize())
  }
}

/// Values one thread collects.
private final class Collected: Sendable {
  private let received = Mutex<[Int]>([])
  var count: Int { received.withLock { $0.count } }
  var all: [Int] { received.withLock { $0 } }
  func append(_ values: [Int]) { received.withLock { $0 += values } }
}

private actor Fleeting {
  private let executor = try! ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  func echo(_ number: Int) -> Int { number }
}
