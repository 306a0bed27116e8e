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

    package func enqueue(_ job: consuming ExecutorJob) {
      ThreadExecutor.add(Job(job: UnownedJob(job), task: asUnownedTaskExecutor()), to: state)
    }
  }

  fileprivate struct Job {
    let job: UnownedJob
    /// `nil` for a job of the actor.
    var task: UnownedTaskExecutor?
  }

  fileprivate struct State {
    private var jobs: [Job] = []
    var isStopping = false

    fileprivate mutating func add(_ job: Job) { jobs.append(job) }

    fileprivate mutating func take() -> [Job]? {
      guard !jobs.isEmpty else { return nil }
      defer { jobs.removeAll() }
      return jobs
    }
  }

  private let state = Monitor(State())
  package let tasks: Tasks

  /// - Throws: `SystemError` where the system has no thread left.
  package init() throws(SystemError) {
    let state = state
    tasks = Tasks(state)
    let identity = Identity(executor: asUnownedSerialExecutor())
    // Not joined: the last reference may go away on this very thread.
    _ = try DedicatedThread { ThreadExecutor.run(state, as: identity.executor) }
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
      let jobs: [Job]? = state.wait { state in
        if let jobs = state.take() { return .done(jobs) }
        return state.isStopping ? .done(nil) : .sleep
      }
      guard let jobs else { return }
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
