import Base
import Shippers

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
