import Base

/// The status page: one document with all that it needs, which says the state in words and is kept up to date by its
/// script. Pure.
///
/// Names of streams, errors and destinations come from outside: all text is escaped, and the policy lets nothing run
/// or load but what this program has brought.
struct StatusPage {
  let report: StatusReport

  private static let style = String(decoding: PackageResources.page_css, as: UTF8.self)
  private static let script = String(decoding: PackageResources.page_js, as: UTF8.self)
  /// With `[[NAME]]` where something is put.
  private static let template = String(decoding: PackageResources.page_html, as: UTF8.self)

  /// Reference: https://www.w3.org/TR/CSP3/#grammardef-hash-source
  static let policy =
    [
      "default-src 'none'", "style-src '\(hash(PackageResources.page_css))'",
      "script-src '\(hash(PackageResources.page_js))'", "connect-src 'self'", "img-src data:",
      "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

  private static func hash(_ bytes: [UInt8]) -> String { "sha256-\(SHA256.hash(bytes).base64)" }

  var html: String {
    let parts: [String: String] = [
      "STYLE": "<style>\(Self.style)</style>", "SCRIPT": "<script>\(Self.script)</script>",
      "STATE": report.health.isHealthy ? "well" : "trouble", "TITLE": Self.escaped(headline),
      "HEADLINE": Self.escaped(headline), "PROBLEMS": problems,
      "READ": Self.escaped(UTCTime.readable(microseconds: report.status.readAt)),
      "WORDS": Self.escaped(report.lines(width: nil).joined(separator: "\n")),
    ]
    return Self.filled(Self.template, parts)
  }

  /// What is put in is not looked at again: a stream cannot name a place.
  static func filled(_ template: String, _ parts: [String: String]) -> String {
    var pieces = template.components(by: "[[")
    var text = pieces.removeFirst()
    for piece in pieces {
      let (name, rest) = piece.halves(at: "]]")
      text += (parts[name] ?? "") + rest
    }
    return text
  }

  /// As the script says it, too.
  private var headline: String {
    let problems = report.health.problems
    return problems.isEmpty ? "All is well" : Figures.counted(problems.count, "problem")
  }

  private var problems: String {
    report.health.problems.map { problem in
      let since = problem.since.map { since in
        let length = Duration.microseconds(max(0, report.status.readAt.subtractingSaturated(since)))
        return "<span class=\"since\">since \(Self.escaped(UTCTime.readable(microseconds: since))), for "
          + "\(Self.escaped(Figures.duration(length)))</span>"
      }
      return """
        <li><div class="problem-head"><strong class="part">\(Self.escaped(problem.part))</strong>\(since ?? "")</div>
        <p class="what">\(Self.escaped(problem.what))</p>
        <p class="advice">\(Self.escaped(problem.advice))</p></li>
        """
    }.joined(separator: "\n")
  }

  /// Text as it may stand in an element and in a quoted attribute. What would turn the direction of what follows, or
  /// is no character for people, is left out.
  ///
  /// Reference: https://html.spec.whatwg.org/multipage/named-characters.html
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n": result += "\n"
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate: result += "\u{FFFD}"
        default: result.unicodeScalars.append(scalar)
        }
      }
    }
    return result
  }
}

extension String {
  fileprivate func components(by mark: String) -> [String] {
    split(separator: mark, omittingEmptySubsequences: false).map { String($0) }
  }

  /// What is before the first mark, and what is behind it.
  fileprivate func halves(at mark: String) -> (String, String) {
    let parts = split(separator: mark, maxSplits: 1, omittingEmptySubsequences: false)
    return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
  }
}
