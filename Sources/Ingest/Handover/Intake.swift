import Base
import Ticks
import WAL

/// The intake of one read of the socket, or the part of such that was held until now: ticks, and input that
/// is none.
struct Intake: Sendable {
  /// The ids of one of the ticks.
  struct Step: Equatable, Sendable {
    /// Its place among them.
    var tick: Int
    var ids: IDStep
  }

  var ticks = TickBatch()
  /// In the order of the ticks, of those that have some; only as a connection brings them in.
  var steps: [Step] = []
  var rejected: [RejectedInput] = []
  /// Streams whose events are kept under names of their own and which have delivered (`!miniTicker@arr`).
  var arrays: Set<String> = []
  /// Data messages, whatever they were.
  var messages = 0
  /// Microseconds UTC, taken once for the read.
  var receivedAt: Int64 = 0
  /// Messages without ticks after the last of the ticks; only as a connection brings them in.
  var rejectedSince = 0
  /// Rejected input that was kept before of the same read.
  var rejectedBefore = 0
  /// What messages brought beyond what is taken of one; only as a connection brings it in.
  var surplus: Surplus?
  /// Rejected input of the read that the last of `rejected` stands for.
  private(set) var folded = 0

  /// Rejected input of one read that is kept one by one: small messages can bring as much of it as a large one.
  static let mostRejected = 1_000

  var isEmpty: Bool { messages == 0 && ticks.isEmpty && rejected.isEmpty }

  /// Decodes a message into the ticks or the rejected input.
  mutating func add(
    _ message: UnsafeBufferPointer<UInt8>, decoder: inout MessageDecoder
  ) -> MessageDecoder.Outcome {
    let outcome = decoder.decode(message, receivedAt: receivedAt, into: &ticks, rejected: &rejected)
    if !decoder.arrayStream.isEmpty { note(decoder.arrayStream) }
    if let step = decoder.step { steps.append(Step(tick: ticks.count - 1, ids: step)) }
    if decoder.surplus > 0 {
      surplus = Surplus(events: decoder.surplus, stream: decoder.arrayStream).joined(to: surplus)
    }
    if rejected.count > mayKeep { foldRejected() }
    switch outcome {
    case .ticks:
      messages += 1
      rejectedSince = 0
    case .rejected:
      messages += 1
      rejectedSince += 1
    // Said by the exchange about the connection: no data, and no end of a gap.
    case .answer, .serverShutdown: break
    }
    return outcome
  }

  private var mayKeep: Int { max(1, Self.mostRejected - rejectedBefore) }

  /// The intake of the rest of a read of which this part is handed over.
  var rest: Intake {
    var rest = Intake()
    rest.receivedAt = receivedAt
    rest.rejectedBefore = rejectedBefore + rejected.count
    return rest
  }

  /// Leaves one in place of all that are too many.
  private mutating func foldRejected() {
    // At first also the one that stands for all from then on.
    folded += rejected.count - mayKeep + (folded == 0 ? 1 : 0)
    rejected.removeSubrange(mayKeep...)
    rejected[mayKeep - 1].cause =
      "\(Figures.grouped(folded)) more inputs that came at once are no ticks; this is the first of them"
  }

  /// Makes a string only for a name that is new here.
  private mutating func note(_ array: [UInt8]) {
    guard !arrays.contains(where: { $0.utf8.elementsEqual(array) }) else { return }
    arrays.insert(String(decoding: array, as: UTF8.self))
  }
}
