import Base
import CGlibc
import Glibc
import Synchronization

/// Runs a program and gives what it prints. It waits on a thread of its own.
enum ChildProcess {
  enum Failure: Error, Equatable, CustomStringConvertible {
    case notStarted(Int32)
    case tooLong
    case tooMuch
    case status(Int32)
    case signal(Int32)
    case cancelled

    var description: String {
      switch self {
      case .notStarted(let number): "cannot be run: \(SystemError.text(number))"
      case .tooLong: "was stopped because it took too long"
      case .tooMuch: "was stopped because it printed too much"
      case .status(let status): "ended with status \(status)"
      case .signal(let signal): "was ended by signal \(signal)"
      case .cancelled: "was stopped"
      }
    }
  }

  private final class Job: Sendable {
    let words: [String]
    let environment: [String: String]
    let limit: Duration
    let maximumBytes: Int
    let isCancelled = Atomic(false)
    private let continuation = Mutex<CheckedContinuation<[UInt8], any Error>?>(nil)

    init(_ words: [String], _ environment: [String: String], _ limit: Duration, _ maximumBytes: Int) {
      self.words = words
      self.environment = environment
      self.limit = limit
      self.maximumBytes = maximumBytes
    }

    func wait(_ continuation: CheckedContinuation<[UInt8], any Error>) {
      self.continuation.withLock { $0 = continuation }
    }

    func end(_ result: Result<[UInt8], any Error>) {
      let waiting = continuation.withLock { continuation in
        defer { continuation = nil }
        return continuation
      }
      waiting?.resume(with: result)
    }
  }

  /// Standard output of a program that ended with status 0, found by `PATH` like any other. Its standard input and
  /// error are `/dev/null`; it inherits no other file.
  ///
  /// After `limit`, beyond `maximumBytes`, or when the task is cancelled, it is killed with all it started. Throws
  /// `Failure` or `CancellationError`.
  static func output(
    of words: [String], environment: [String: String], limit: Duration, maximumBytes: Int
  ) async throws -> [UInt8] {
    let job = Job(words, environment, limit, maximumBytes)
    do {
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
          job.wait(continuation)
          start(job)
        }
      } onCancel: {
        job.isCancelled.store(true, ordering: .releasing)
      }
    } catch Failure.cancelled {
      throw CancellationError()
    }
  }

  private static func start(_ job: Job) {
    do throws(SystemError) {
      _ = try DedicatedThread(named: "child") {
        do throws(Failure) {
          job.end(.success(try run(job)))
        } catch {
          job.end(.failure(error))
        }
      }
    } catch {
      job.end(.failure(Failure.notStarted(error.code)))
    }
  }

  private static func run(_ job: Job) throws(Failure) -> [UInt8] {
    let deadline = ContinuousClock.now + job.limit
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .notStarted(errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (reading, writing) = (ends[0], ends[1])
    defer { close(reading) }
    let spawned = spawn(job, output: writing)
    close(writing)
    let child = try spawned.get()
    RunningGroups.add(child)
    var result = Result { () throws(Failure) in try read(reading, job, until: deadline) }
    if case .failure = result { kill(-child, SIGKILL) }
    // A program that has closed its output is about to end; one that is not is ended.
    while !hasEnded(child) {
      let isCancelled = job.isCancelled.load(ordering: .acquiring)
      if case .success = result, isCancelled || ContinuousClock.now > deadline {
        result = .failure(isCancelled ? .cancelled : .tooLong)
        kill(-child, SIGKILL)
      }
      poll(nil, 0, 2)
    }
    // What it has started and left behind ends with it. It is not reaped yet, so the group cannot be another's.
    kill(-child, SIGKILL)
    RunningGroups.remove(child)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    reapGroup(child)
    let bytes = try result.get()
    let signal = status & 0x7f
    guard signal == 0 else { throw .signal(signal) }
    guard status == 0 else { throw .status(status >> 8 & 0xff) }
    return bytes
  }

  /// Without reaping it.
  private static func hasEnded(_ child: pid_t) -> Bool {
    var information = siginfo_t()
    let result = waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT)
    return result == 0 ? information.si_signo != 0 : errno != EINTR
  }

  /// Where this process is the first of its container, whatever loses its parent becomes its child.
  private static func reapGroup(_ group: pid_t) {
    while true {
      let reaped = waitpid(-group, nil, 0)
      guard reaped > 0 || (reaped < 0 && errno == EINTR) else { return }
    }
  }

  private static func read(
    _ file: Int32, _ job: Job, until deadline: ContinuousClock.Instant
  ) throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4 << 10)
    while true {
      if job.isCancelled.load(ordering: .acquiring) { throw .cancelled }
      let left = ContinuousClock.now.duration(to: deadline)
      guard left > .zero else { throw .tooLong }
      var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      // Looked up in between: cancelling does not wake the thread.
      guard poll(&waiting, 1, Int32(min(left.wholeMilliseconds + 1, 100))) > 0 else { continue }
      let count = chunk.withUnsafeMutableBytes { FileBytes.read(file, into: $0) }
      if count == 0 { return bytes }
      guard count > 0 else { throw .notStarted(errno) }
      bytes.append(contentsOf: chunk[..<count])
      guard bytes.count <= job.maximumBytes else { throw .tooMuch }
    }
  }

  private static func spawn(_ job: Job, output: Int32) -> Result<pid_t, Failure> {
    var files = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&files)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&files)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    // libcurl's sockets are not closed by exec. Done in the child, so that none that is opened meanwhile is left.
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1)

    // A group of its own, so that what it starts ends with it; and signals as a program expects to find them.
    var none = sigset_t()
    var usual = sigset_t()
    sigemptyset(&none)
    sigemptyset(&usual)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP] { sigaddset(&usual, signal) }
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &usual)

    var words = job.words.map { strdup($0) } + [nil]
    var variables = job.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var child: pid_t = 0
    let result = posix_spawnp(&child, job.words[0], &files, &attributes, &words, &variables)
    return result == 0 ? .success(child) : .failure(.notStarted(result))
  }
}
