/// Runs an actor's jobs on a thread of its own, so that they may block.
///
/// The queue of jobs has no bound of its own: it holds at most one job for each task that waits for the actor, or that
/// runs on ``tasks``.
package final class ThreadExecutor: SerialExecutor {
  /// The same thread for whole tasks, `withTaskExecutorPreference`: what they do besides the actor's work needs no other
  /// thread, and nobody is woken on the way from one to the other. The thread ends when nobody has this.
  package final class Tasks: TaskExecutor {
    private let state: Monitor<State>

    fileprivate init(_ state: Monitor<State>) {
      self.state = state
    }

    deinit {
      state.withLock { $0.isStopping = true }
      state.signal()
    }

    /// Calls `body` on the thread, once, at a time on the monotonic clock or as soon as it is free; never if it ends
    /// before. No other thread is woken for that.
    package func call(at dueAt: Duration, _ body: @escaping @Sendable () -> Void) {
      let isEarliest = state.withLock { $0.add(Call(dueAt: dueAt, body: body)) }
      if isEarliest { state.signal() }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
      ThreadExecutor.add(Job(job: UnownedJob(job), task: asUnownedTaskExecutor()), to: state)
    }
  }

  fileprivate struct Job {
    let job: UnownedJob
    /// `nil` for a job of the actor.
    var task: UnownedTaskExecutor?
  }

  fileprivate struct Call {
    /// On the monotonic clock.
    let dueAt: Duration
    let body: @Sendable () -> Void
  }

  private enum Work {
    case jobs([Job])
    case calls([Call])
  }

  fileprivate struct State {
    private var jobs: [Job] = []
    private var calls: [Call] = []
    var isStopping = false

    fileprivate mutating func add(_ job: Job) { jobs.append(job) }

    fileprivate mutating func take() -> [Job]? {
      guard !jobs.isEmpty else { return nil }
      defer { jobs.removeAll() }
      return jobs
    }

    /// The time of the next call; nil if there is none.
    var nextCall: Duration? { calls.map(\.dueAt).min() }

    /// - Returns: whether none is earlier.
    fileprivate mutating func add(_ call: Call) -> Bool {
      calls.append(call)
      return nextCall == call.dueAt
    }

    fileprivate mutating func takeCalls(dueBy now: Duration) -> [Call]? {
      let due = calls.filter { $0.dueAt <= now }.sorted { $0.dueAt < $1.dueAt }
      guard !due.isEmpty else { return nil }
      calls.removeAll { $0.dueAt <= now }
      return due
    }
  }

  private let state = Monitor(State())
  package let tasks: Tasks

  /// - Parameter name: of the thread, see ``DedicatedThread``.
  /// - Throws: `SystemError` where the system has no thread left.
  package init(named name: StaticString = "tickwal") throws(SystemError) {
    let state = state
    tasks = Tasks(state)
    let identity = Identity(executor: asUnownedSerialExecutor())
    // Not joined: the last reference may go away on this very thread.
    _ = try DedicatedThread(named: name) { ThreadExecutor.run(state, as: identity.executor) }
  }

  // Safe because the executor is only handed to jobs, and a job's actor keeps its executor alive.
  // Breaks if the thread ran a job after the last actor on this executor is gone.
  private struct Identity: @unchecked Sendable {
    let executor: UnownedSerialExecutor
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    ThreadExecutor.add(Job(job: UnownedJob(job)), to: state)
  }

  private static func add(_ job: Job, to state: Monitor<State>) {
    // Held by hand: the job may run, and the last reference to its executor go away, before the signal is given.
    let held = Unmanaged.passRetained(state)
    defer { held.release() }
    state.withLock { $0.add(job) }
    state.signal()
  }

  private static func run(_ state: Monitor<State>, as executor: UnownedSerialExecutor) {
    while true {
      let work: Work? = state.wait { state in
        if let jobs = state.take() { return .done(.jobs(jobs)) }
        if state.isStopping { return .done(nil) }
        guard let next = state.nextCall else { return .sleep }
        let now = MonotonicClock.now()
        return state.takeCalls(dueBy: now).map { .done(.calls($0)) } ?? .sleepFor(next - now)
      }
      guard let work else { return }
      let jobs: [Job]
      switch work {
      case .calls(let calls):
        for call in calls { call.body() }
        continue
      case .jobs(let some): jobs = some
      }
      for job in jobs {
        if let task = job.task {
          job.job.runSynchronously(on: task)
        } else {
          job.job.runSynchronously(on: executor)
        }
      }
    }
  }
}
