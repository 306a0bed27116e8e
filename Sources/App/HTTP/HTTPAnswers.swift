import Base
import Ingest
import WAL

/// Makes the answers of the HTTP server.
struct HTTPAnswers: Sendable {
  let observer: Observer
  let log: TickLog
  let running: Pipeline.Running
  let history: HistoryKeeper

  func answer(_ route: HTTPRoute) async -> HTTPReply {
    do {
      switch route {
      case .refused(let refusal): return HTTPReply(refusal)
      case .livez: return health(liveness.isAlive, liveness.document)
      case .metrics(let form):
        return HTTPReply(
          status: 200, contentType: form.contentType, body: try await observer.metrics(form), result: .ok)
      case .readyz:
        let (isReady, document) = report(try await observer.sight()).readiness
        return health(isReady, document)
      case .status: return document(status(try await observer.sight()).document)
      case .page:
        return HTTPReply(
          status: 200, contentType: "text/html; charset=utf-8",
          body: StatusPage(report: status(try await observer.sight())).html, result: .ok,
          policy: StatusPage.policy)
      case .history: return document(history.document)
      }
    } catch {
      let body = JSONDocument.object(["error": .string(Text.oneLine("\(error)", limit: 1_000))])
      switch route {
      // A log that cannot be read is not ready.
      case .readyz: return health(false, body)
      default: return HTTPReply(status: 500, body: body.text + "\n", result: .failed)
      }
    }
  }

  static func isReady(_ observer: Observer) async -> Bool {
    do {
      let sight = try await observer.sight()
      return HealthReport(status: sight.status, view: .told(sight.feed)).readiness.isReady
    } catch {
      return false
    }
  }

  private func report(_ sight: Sight) -> HealthReport {
    HealthReport(status: sight.status, view: .told(sight.feed))
  }

  private func status(_ sight: Sight) -> StatusReport {
    var report = StatusReport(sight.status, path: log.path, feed: .told(sight.feed))
    report.volume = sight.volume
    return report
  }

  private var liveness: ProcessLiveness {
    ProcessLiveness(log: log, feed: running.feed.value?.statistics)
  }

  private func health(_ isWell: Bool, _ document: JSONDocument) -> HTTPReply {
    HTTPReply(status: isWell ? 200 : 503, body: document.text + "\n", result: isWell ? .ok : .unwell)
  }

  private func document(_ document: JSONDocument) -> HTTPReply {
    HTTPReply(status: 200, body: document.text + "\n", result: .ok)
  }
}
