import Base
import Glibc

/// The saving of a log whose files have lost their names, from the connection that still has them open.
///
/// Where the log's file is still there, what only SQLite's WAL has is copied into it. Else the whole log goes into
/// `WAL_PATH.saved-TIME`, which gets the log's name if nothing else has it by then.
struct LogRescue {
  let loss: LogLoss
  private let path: String
  private let place: LogPlace
  private let savedPath: String
  /// Whether everything that is committed is in a file that has a name.
  private(set) var isWhole = false
  /// Why it is not.
  private var trouble: String?
  private var hasSaved = false

  /// - Parameter now: microseconds since 1970, UTC.
  init(_ loss: LogLoss, path: String, place: LogPlace, now: Int64) {
    self.loss = loss
    self.path = path
    self.place = place
    savedPath = path + Self.infix + String(now / 1_000_000)
  }

  /// In the names of what is saved.
  static let infix = ".saved-"

  /// Something was committed since.
  mutating func committed() { isWhole = false }

  /// Saves everything that is committed; durable when `isWhole` is true afterwards.
  ///
  /// - Parameter makeRoom: gives up what can be spared of the volume.
  mutating func save(_ connection: SQLiteConnection, makeRoom: (SQLiteError) -> Void) {
    guard !isWhole else { return }
    do {
      try saveOnce(connection)
    } catch let error as SQLiteError where error.isDiskFull {
      makeRoom(error)
      do {
        try saveOnce(connection)
      } catch {
        trouble = "\(error)"
      }
    } catch {
      trouble = "\(error)"
    }
  }

  private mutating func saveOnce(_ connection: SQLiteConnection) throws {
    if loss.keepsFile {
      guard try !connection.checkpoint(.truncate).isBlocked else {
        throw LogError(.failed, "a reader is in the way")
      }
    } else {
      let part = savedPath + ".part"
      try LogFile.createEmpty(part)
      do {
        try connection.backup(to: part)
        try LogFile.publish(part, as: savedPath)
      } catch {
        unlink(part)
        throw error
      }
      hasSaved = true
    }
    isWhole = true
    trouble = nil
  }

  /// The state of the saving, for a message.
  var state: String {
    if let trouble { return "not saved: \(trouble)" }
    return loss.keepsFile ? "everything is in \(path)" : "everything is in \(savedPath)"
  }

  /// Gives what is saved the log's name, if nothing else has it; the last step, with the connection closed.
  ///
  /// - Parameter facts: of the log, as far as they could be read.
  /// - Returns: what the process ends with.
  func finish(_ facts: Facts) -> LogError {
    let end = "the log's files were taken away beneath this process: \(loss); "
    guard isWhole else { return LogError(.lost, end + unsaved(facts)) }
    if loss.keepsFile {
      let foreign = place.foreignSides()
      return LogError(
        .lost,
        end
          + "everything up to offset \(Figures.grouped(facts.head)) was copied into \(path), nothing is lost: "
          + (foreign.isEmpty ? "" : "move \(foreign.joined(separator: " and ")) away, then ") + "start again")
    }
    do throws(LogError) {
      if try takeName() {
        return LogError(
          .lost,
          end
            + "everything up to offset \(Figures.grouped(facts.head)) was saved and is at \(path) again, nothing is lost: start again"
        )
      }
      return LogError(
        .lost,
        end
          + "everything up to offset \(Figures.grouped(facts.head)) is saved in \(savedPath): to go on with it, stop every "
          + "tickwal, move what lies at \(path) away and the saved file there; to keep both, ship the saved one first: "
          + "`WAL_PATH=\(savedPath) tickwal ship`")
    } catch {
      return LogError(
        .lost,
        end
          + "everything up to offset \(Figures.grouped(facts.head)) is saved in \(savedPath) (\(error)): move it to \(path)"
      )
    }
  }

  /// The log as it was last.
  struct Facts {
    var head: Offset
    /// The first offset that an enabled consumer has not confirmed.
    var unshipped: Offset?
  }

  private func unsaved(_ facts: Facts) -> String {
    var text = "it could not be saved (\(trouble ?? "nothing was tried")): "
    if hasSaved {
      text +=
        "\(savedPath) has it as it was before the last shipping; move it to \(path), and run `tickwal adopt` if "
      return text + "shipping is held for what it has not planned"
    }
    switch facts.unshipped {
    case let first? where first <= facts.head:
      text +=
        "what was not shipped, offsets \(Figures.grouped(first)) to \(Figures.grouped(facts.head)), is lost, unless the files are elsewhere"
    case nil: text += "offsets up to \(Figures.grouped(facts.head)) are lost, unless the files are elsewhere"
    default: text += "everything up to offset \(Figures.grouped(facts.head)) was shipped"
    }
    return text
  }

  /// - Returns: `false` if another file has the name, or lies beside it.
  private func takeName() throws(LogError) -> Bool {
    guard NamedFile(path) == .none, place.foreignSides().isEmpty else { return false }
    // This log's own, whose content is saved: beside the copy SQLite would take it for the copy's.
    for suffix in LogPlace.sides {
      guard unlink(path + suffix) == 0 || errno == ENOENT else {
        throw LogError.unusable(path + suffix, errno)
      }
    }
    // A link takes no name that another file has meanwhile got.
    guard link(savedPath, path) == 0 else {
      if errno == EEXIST { return false }
      throw LogError.unusable(path, errno)
    }
    unlink(savedPath)
    try LogFile.syncFolder(of: path)
    return true
  }
}
