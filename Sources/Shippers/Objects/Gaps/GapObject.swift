import Base
import Ticks
import WAL

/// The object beside the data that tells of one gap.
struct GapObject: Equatable {
  let key: String
  /// One line of JSON.
  let body: [UInt8]

  init(_ gap: Gap, logID: LogID, settings: ObjectSettings) {
    key = ObjectKey.gap(gap, logID: logID, settings: settings)
    var line = Array("{\"gap\":\(gap.id.rawValue),\"log_id\":\"\(logID)\",\"started_at\":".utf8)
    line += Self.time(gap.startedAt)
    line += Array(",\"ended_at\":".utf8)
    line += gap.endedAt.map(Self.time) ?? Array("null".utf8)
    line += Array(",\"cause\":\"\(gap.cause.rawValue)\",\"streams\":[".utf8)
    for (index, stream) in gap.streams.enumerated() {
      if index > 0 { line.append(UInt8(ascii: ",")) }
      var stream = stream
      stream.withUTF8 { PythonJSON.appendString($0, to: &line) }
    }
    line.append(UInt8(ascii: "]"))
    if let detail = gap.detail {
      line += Array(",\"detail\":\(PythonJSON.compact(detail))".utf8)
    }
    body = line + Array("}\n".utf8)
  }

  private static func time(_ microseconds: Int64) -> [UInt8] {
    Array("\"\(Timestamp.rfc3339(microseconds: Timestamp.clamped(microseconds: microseconds)))\"".utf8)
  }
}
