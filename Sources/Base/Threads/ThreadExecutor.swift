/// Runs an actor's jobs on a thread of its own, so that they may block.
///
/// The queue of jobs has no bound of its own: it holds at most one job for each task that waits for the actor.
package final class ThreadExecutor: SerialExecutor {
  private struct State {
    var jobs: [UnownedJob] = []
    var isStopping = false
  }

  private let state = Monitor(State())

  /// - Throws: `SystemError` where the system has no thread left.
  package init() throws(SystemError) {
    let state = state
    let identity = Identity(executor: asUnownedSerialExecutor())
    // Not joined: the last reference may go away on this very thread.
    _ = try DedicatedThread { ThreadExecutor.run(state, as: identity.executor) }
  }

  // Safe because the executor is only handed to jobs, and a job's actor keeps its executor alive.
  // Breaks if the thread ran a job after the last actor on this executor is gone.
  private struct Identity: @unchecked Sendable {
    let executor: UnownedSerialExecutor
  }

  deinit {
    state.withLock { $0.isStopping = true }
    state.signal()
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // Held here: the job may run, and the last reference to this executor go away, before the signal is given.
    let state = state
    state.withLock { $0.jobs.append(job) }
    state.signal()
  }

  private static func run(_ state: Monitor<State>, as executor: UnownedSerialExecutor) {
    while true {
      let jobs: [UnownedJob]? = state.wait { state in
        if !state.jobs.isEmpty {
          defer { state.jobs.removeAll() }
          return .done(state.jobs)
        }
        return state.isStopping ? .done(nil) : .sleep
      }
      guard let jobs else { return }
      for job in jobs { job.runSynchronously(on: executor) }
    }
  }
}
