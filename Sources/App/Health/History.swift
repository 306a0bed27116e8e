import Base
import Observe
import WAL

/// The figures of the last hour, for the charts of the status page: a pure value of bounded size.
struct History {
  /// One consumer at one moment.
  struct Consumer: Equatable {
    let lag: Int
    /// Seconds: the age of the oldest tick that is not shipped.
    let age: Double
  }

  /// The process at one moment.
  struct Moment {
    /// Microseconds since 1970, UTC.
    let at: Int64
    /// On the monotonic clock.
    let time: Duration
    let head: Int64
    /// All event delays of the process up to now.
    let delays: Distribution?
    let consumers: [String: Consumer]
    /// Bytes available on the log's volume.
    let available: Int?
  }

  /// What the charts show of a moment: figures of the time since the one before it.
  struct Sample: Equatable {
    let at: Int64
    /// Ticks appended a second.
    let rate: Double?
    /// Seconds from an event at the exchange to its reception: of half of the ticks, and of 99 in 100, less.
    let delayMedian: Double?
    let delayHigh: Double?
    let consumers: [String: Consumer]
    let available: Int?
  }

  static let pause = Duration.seconds(10)
  /// An hour.
  static let mostSamples = 360
  /// Gaps that are looked through, the newest ones.
  static let mostGaps: Int64 = 200
  /// The length of the time line of gaps, in microseconds: a day.
  static let gapsTime: Int64 = 86_400_000_000

  private(set) var samples: [Sample] = []
  private var last: Moment?

  /// Two moments farther apart than this are not joined: the process was stopped, or the log could not be read.
  private static let longest = Duration.seconds(60)

  mutating func add(_ moment: Moment) {
    let before = last.flatMap { last in
      moment.time > last.time && moment.time - last.time <= Self.longest ? last : nil
    }
    let rate = before.map { before in
      Double(max(0, moment.head.subtractingSaturated(before.head)))
        / ((moment.time - before.time) / .seconds(1))
    }
    let delays = before.flatMap { before in
      before.delays.flatMap { moment.delays?.since($0) }
    }
    samples.append(
      Sample(
        at: moment.at, rate: rate, delayMedian: delays?.quantile(0.5), delayHigh: delays?.quantile(0.99),
        consumers: moment.consumers, available: moment.available))
    if samples.count > Self.mostSamples { samples.removeFirst(samples.count - Self.mostSamples) }
    last = moment
  }

  /// Column by column, each with one value for each sample.
  var document: JSONDocument {
    let names = Set(samples.flatMap(\.consumers.keys)).sorted()
    return .object([
      "at": column { .integer(Int($0.at)) },
      "ticks_per_second": column { Self.number($0.rate) },
      "delay_median_seconds": column { Self.number($0.delayMedian) },
      "delay_p99_seconds": column { Self.number($0.delayHigh) },
      "available_bytes": column { $0.available.map { .integer($0) } ?? .null },
      "consumers": .object(
        names.map { name in
          .init(
            key: name,
            value: .object([
              "lag": column { $0.consumers[name].map { .integer($0.lag) } ?? .null },
              "age_seconds": column { Self.number($0.consumers[name]?.age) },
            ]))
        }),
    ])
  }

  private func column(_ value: (Sample) -> JSONDocument) -> JSONDocument { .array(samples.map(value)) }

  /// Three digits after the point: the charts have no room for more.
  private static func number(_ value: Double?) -> JSONDocument {
    value.map { .number(($0 * 1_000).rounded() / 1_000) } ?? .null
  }
}
