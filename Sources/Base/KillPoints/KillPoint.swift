/// A step of the program before and after which a test may have it killed, to see what the next start makes of it.
///
/// In debug builds `TICKWAL_KILL_AT=upload.after:3` ends the process by SIGKILL when it has uploaded something for
/// the third time. Release builds know nothing of it: passing a point is nothing there.
package enum KillPoint: String, CaseIterable, Sendable {
  /// Committing a group with ticks, or one without.
  case append, record
  /// Keeping the log's size: trimming, giving pages back, copying SQLite's WAL, giving the ballast up.
  case trim, vacuum, checkpoint, ballast
  /// Opening the log, its `-wal` being rewritten by then; closing it, everything being committed.
  case open, close
  /// Committing the change of an older log to the present schema.
  case migrate
  /// The stages of a batch: its plan, its upload, and where it is a file, its name.
  case plan, upload, file
  /// Writing an item.
  case item
  /// Committing what sinks have confirmed.
  case offset
  /// Writing the object of a gap, and the note on how far the log has planned.
  case gap, note

  @inlinable package func before() { pass("before") }
  @inlinable package func after() { pass("after") }

  @inlinable func pass(_ moment: StaticString) {
    #if DEBUG
      KillOrder.current?.passed("\(self).\(moment)")
    #endif
  }

  /// Looks at the order once, before anything is done.
  ///
  /// - Returns: what is wrong with it, for people; `nil` also if there is none.
  package static func objection() -> String? {
    #if DEBUG
      KillOrder.objection
    #else
      nil
    #endif
  }
}
