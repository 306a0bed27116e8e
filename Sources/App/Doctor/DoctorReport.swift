import Base
import Shippers

/// All findings, for people and for programs.
struct DoctorReport: Sendable, Equatable {
  let findings: [DoctorFinding]

  var isWell: Bool { findings.allSatisfy { $0.verdict != .failed } }

  /// The columns of the verdict and of the name; a line is printed before the next one is known.
  private static let widths = (verdict: 7, name: 13)

  static func lines(_ finding: DoctorFinding) -> [String] {
    let verdict = DisplayWidth.padded(finding.verdict.rawValue, to: widths.verdict)
    let name = DisplayWidth.padded(finding.name, to: widths.name)
    return ["\(verdict)  \(name)  \(Text.oneLine(finding.summary, limit: 1_000))"]
      + (finding.remedy.map { ["         → " + Text.oneLine($0, limit: 1_000)] } ?? [])
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
