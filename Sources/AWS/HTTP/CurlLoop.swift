import Base
import CCurl
import Glibc

/// curl's thread: takes up mail, lets curl work, gives the answers back.
///
/// The handles are confined to the thread that runs `run`; the mailbox is what other threads see.
final class CurlLoop {
  private static let keptHandles = 256
  /// Microseconds.
  private static let nap: UInt32 = 1_000
  private let multi: UnsafeMutableRawPointer
  private let sockets: CurlSockets
  private let mailbox: CurlMailbox
  private let configuration: TransportConfiguration
  private let isOutOfMemory: () -> Bool
  /// Those that wait for a connection here, where their time does not run yet.
  private var waiting: [CurlMailbox.Submission] = []
  private var active: [ObjectIdentifier: CurlEasy] = [:]
  /// Those of the active ones whose answer is to be seen at once.
  private var impatient = 0
  private var idle: [CurlEasy] = []
  private var answers: [(AnswerCompletion, Result<HTTPResponse, any Error>)] = []
  private var wakes: [Wake] = []

  init(
    multi: UnsafeMutableRawPointer, sockets: CurlSockets, mailbox: CurlMailbox,
    configuration: TransportConfiguration, isOutOfMemory: @escaping () -> Bool
  ) {
    self.isOutOfMemory = isOutOfMemory
    self.multi = multi
    self.sockets = sockets
    sockets.attach(to: multi)
    self.mailbox = mailbox
    self.configuration = configuration
  }

  func run() {
    var mail = CurlMailbox.Mail()
    var finished = 0
    var result = CURLM_OK
    while true {
      mailbox.take(&mail, finished: finished)
      for submission in mail.submitted { wait(submission) }
      for transfer in mail.cancelled { cancel(transfer) }
      startWaiting()
      if mail.isClosing { break }

      if result == CURLM_OK { result = isOutOfMemory() ? CURLM_OUT_OF_MEMORY : sockets.act(multi) }
      collect()
      if result != CURLM_OK { fail(result) }
      startWaiting()
      finished = answers.count
      giveBack()
      // Answers that nobody is in a hurry for are looked at a little later, all at once: to be woken for each costs more
      // than the answer.
      if impatient == 0, !active.isEmpty { usleep(Self.nap) }
      // With nothing under way the limit only bounds how long a missed wake-up would go unnoticed.
      let limit = mailbox.mayFallAsleep() ? Duration.seconds(active.isEmpty ? 60 : 1) : .zero
      result = sockets.wait(multi, atMost: limit)
    }
    end()
  }

  /// A transfer may have been called off before it was submitted: then nobody asks for that again.
  private func wait(_ submission: CurlMailbox.Submission) {
    if submission.transfer.isCancelled {
      answers.append((submission.completion, .failure(CancellationError())))
    } else {
      waiting.append(submission)
    }
  }

  private func startWaiting() {
    let limit = configuration.connectionLimit.map { max(1, $0) } ?? .max
    var started = 0
    while started < waiting.count, active.count < limit {
      start(waiting[started])
      started += 1
    }
    waiting.removeFirst(started)
  }

  private func start(_ submission: CurlMailbox.Submission) {
    let transfer = submission.transfer
    if transfer.isCancelled {
      answers.append((submission.completion, .failure(CancellationError())))
      return
    }
    do throws(TransportError) {
      let handle = if let kept = idle.popLast() { kept } else { try CurlEasy(configuration, sockets) }
      do throws(TransportError) {
        try handle.prepare(submission)
      } catch {
        handle.release()
        idle.append(handle)
        throw error
      }
      let result = curl_multi_add_handle(multi, handle.easy)
      guard result == CURLM_OK else {
        throw Self.failure(result)
      }
      active[ObjectIdentifier(transfer)] = handle
      if !transfer.request.isPatient { impatient += 1 }
    } catch {
      answers.append((submission.completion, .failure(error)))
    }
  }

  /// Gives up everything under way: curl, out of memory most likely, cannot go on with it. Later transfers may
  /// succeed.
  private func fail(_ result: CURLMcode) {
    for handle in Array(active.values) { finish(handle) { _ in .failure(Self.failure(result)) } }
  }

  private static func failure(_ result: CURLMcode) -> TransportError {
    TransportError(code: .failed, origin: "curl", detail: String(cString: curl_multi_strerror(result)))
  }

  private func cancel(_ transfer: CurlTransfer) {
    if let handle = active[ObjectIdentifier(transfer)] {
      finish(handle) { _ in .failure(CancellationError()) }
    } else if let place = waiting.firstIndex(where: { $0.transfer === transfer }) {
      answers.append((waiting.remove(at: place).completion, .failure(CancellationError())))
    }
  }

  private func collect() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      // The message's memory is gone once the handle is removed.
      let result = curl_message_result(message)
      var this: UnsafeMutableRawPointer?
      curl_easy_get_pointer(easy, CURLINFO_PRIVATE, &this)
      guard let this else { preconditionFailure("curl lost its user data") }
      let handle = Unmanaged<CurlEasy>.fromOpaque(this).takeUnretainedValue()
      finish(handle) { $0.finish(result) }
    }
  }

  private func finish(_ handle: CurlEasy, _ answer: (CurlEasy) -> Result<HTTPResponse, any Error>) {
    guard let submission = handle.submission else { return }
    let response = answer(handle)
    let result = curl_multi_remove_handle(multi, handle.easy)
    precondition(result == CURLM_OK, "curl_multi_remove_handle: \(result.rawValue)")
    active[ObjectIdentifier(submission.transfer)] = nil
    if !submission.transfer.request.isPatient { impatient -= 1 }
    handle.release()
    if idle.count < Self.keptHandles { idle.append(handle) }
    answers.append((submission.completion, response))
  }

  /// On curl's thread and without any lock: a completion may run other code.
  private func giveBack() {
    for (completion, result) in answers {
      if let wake = completion(result) { wakes.append(wake) }
    }
    answers.removeAll(keepingCapacity: true)
    for wake in wakes { wake() }
    wakes.removeAll(keepingCapacity: true)
  }

  private func end() {
    for handle in Array(active.values) {
      let endpoint = handle.submission?.transfer.request.endpoint
      finish(handle) { _ in .failure(TransportError.closed(endpoint)) }
    }
    for submission in waiting {
      let error = TransportError.closed(submission.transfer.request.endpoint)
      answers.append((submission.completion, .failure(error)))
    }
    waiting = []
    idle.removeAll()
    curl_multi_cleanup(multi)
    giveBack()
  }
}
