import Base

/// The outcome of a seek, as text for people. Pure.
struct SeekReport {
  private let seek: ControlAnswer.Seek
  private let dryRun: Bool

  init(_ seek: ControlAnswer.Seek, dryRun: Bool) {
    self.seek = seek
    self.dryRun = dryRun
  }

  var lines: [String] {
    var lines = [movement]
    if seek.to != seek.requested {
      lines.append(
        "offset \(Figures.grouped(seek.requested)) is in the batch that begins at \(Figures.grouped(seek.to))"
      )
    }
    if seek.deadLetters > 0 {
      lines.append(
        "\(Figures.counted(seek.deadLetters, "dead letter")) \(would(seek.deadLetters == 1 ? "is" : "are", "would be")) tried again"
      )
    }
    if !seek.enabled {
      lines.append("\(seek.consumer) is not enabled: it goes on there when a start has it again")
    }
    return lines
  }

  private var movement: String {
    let name = seek.consumer
    let to = Figures.grouped(seek.to)
    guard seek.from != seek.to else { return "\(name) reads offset \(to) next already" }
    let count = seek.to.subtractingSaturated(seek.from).magnitude
    let distance = Figures.counted(count, "tick")
    let are = would(count == 1 ? "is" : "are", "would be")
    let batches = seek.batches == 1 ? "1 batch" : "\(Figures.grouped(seek.batches)) batches"
    let from =
      "\(name) \(would("reads", "would read")) offset \(to) next, before \(Figures.grouped(seek.from))"
    if seek.to > seek.from {
      let open =
        seek.batches > 0 ? ", \(batches) that \(seek.batches == 1 ? "was" : "were") open among them" : ""
      return "\(from): \(distance) \(are) skipped\(open)"
    }
    let planned = seek.batches > 0 ? ", \(batches) among them under their own keys" : ""
    return "\(from): \(distance) \(are) delivered again\(planned)"
  }

  private func would(_ done: String, _ undone: String) -> String { dryRun ? undone : done }
}
