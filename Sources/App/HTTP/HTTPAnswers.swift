import Base
import Ingest
import WAL

/// Makes the answers of the HTTP server.
struct HTTPAnswers: Sendable {
  let observer: Observer
  let log: TickLog
  let running: Pipeline.Running

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
        let lines = status(try await observer.sight()).lines(width: nil)
        return HTTPReply(
          status: 200, contentType: "text/html; charset=utf-8", body: Self.page(lines), result: .ok)
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

  /// The state in words, without anything from elsewhere.
  static func page(_ lines: [String]) -> String {
    let text = lines.joined(separator: "\n").reduce(into: "") { text, character in
      switch character {
      case "&": text += "&amp;"
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      default: text.append(character)
      }
    }
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><title>tickwal</title>
      <meta name="viewport" content="width=device-width, initial-scale=1"></head>
      <body><h1>tickwal</h1><pre>\(text)</pre>
      <p><a href="/metrics">metrics</a>, <a href="/livez">livez</a>, <a href="/readyz">readyz</a>,
      <a href="/api/status">status as JSON</a></p></body></html>

      """
  }
}
