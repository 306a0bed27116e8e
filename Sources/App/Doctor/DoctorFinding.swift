/// What one check found. Pure, and safe to show.
struct DoctorFinding: Sendable, Equatable {
  enum Verdict: String, Sendable {
    case ok
    /// `run` works, but not as one would want.
    case warning
    /// `run` would not work.
    case failed
    case skipped
  }

  /// Short, the same in every version: programs look for it.
  let name: String
  let verdict: Verdict
  let summary: String
  /// What to do about it.
  var remedy: String?

  static func ok(_ name: String, _ summary: String) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .ok, summary: summary)
  }

  static func warning(_ name: String, _ summary: String, _ remedy: String? = nil) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .warning, summary: summary, remedy: remedy)
  }

  static func failed(_ name: String, _ summary: String, _ remedy: String? = nil) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .failed, summary: summary, remedy: remedy)
  }

  static func skipped(_ name: String, _ why: String) -> DoctorFinding {
    DoctorFinding(name: name, verdict: .skipped, summary: why)
  }
}

/// All findings, for people and for programs.
struct DoctorReport: Sendable, Equatable {
  let findings: [DoctorFinding]

  var isWell: Bool { findings.allSatisfy { $0.verdict != .failed } }

  var lines: [String] {
    let rows = TextTable(
      TextTable.Column(""), TextTable.Column(""), TextTable.Column(""),
      rows: findings.map { [$0.verdict.rawValue, $0.name, $0.summary] }
    ).lines()
    return zip(rows, findings).flatMap { row, finding in
      [row] + (finding.remedy.map { ["         → " + Text.oneLine($0, limit: 1_000)] } ?? [])
    }
  }

  var document: JSONDocument {
    .object([
      "ok": .bool(isWell),
      "checks": .array(
        findings.map {
          .object([
            "name": .string($0.name), "verdict": .string($0.verdict.rawValue),
            "summary": .string(Text.oneLine($0.summary, limit: 1_000)),
            "remedy": $0.remedy.map { .string(Text.oneLine($0, limit: 1_000)) } ?? .null,
          ])
        }),
    ])
  }
}
