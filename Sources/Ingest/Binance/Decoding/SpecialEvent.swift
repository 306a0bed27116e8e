import Base
import Ticks

/// Events whose stream's name is not made of `s` and `e` alone.
///
/// Their members are looked for only when the name must be made, by walking over the event once more.
enum SpecialEvent {
  case kline, continuousKline, indexPriceKline, markPriceKline, indexPrice, forceOrder

  init?(_ type: JSONValue, in bytes: UnsafeBufferPointer<UInt8>) {
    if bytes.isEqual(type, to: "kline") {
      self = .kline
    } else if bytes.isEqual(type, to: "forceOrder") {
      self = .forceOrder
    } else if bytes.isEqual(type, to: "continuous_kline") {
      self = .continuousKline
    } else if bytes.isEqual(type, to: "indexPrice_kline") {
      self = .indexPriceKline
    } else if bytes.isEqual(type, to: "markPrice_kline") {
      self = .markPriceKline
    } else if bytes.isEqual(type, to: "indexPriceUpdate") || bytes.isEqual(type, to: "IndexUpdate") {
      // The second is what the exchange sends, the first what its documents say.
      self = .indexPrice
    } else {
      return nil
    }
  }

  /// The part of the stream's name between the symbol or pair and the interval.
  var suffix: StaticString {
    switch self {
    case .kline: "@kline_"
    case .continuousKline: "@continuousKline_"
    case .indexPriceKline: "@indexPriceKline_"
    case .markPriceKline: "@markPriceKline_"
    case .indexPrice: "@indexPrice"
    case .forceOrder: "@forceOrder"
    }
  }

  /// The variable parts of the name, all of them strings.
  struct Parts {
    /// The symbol or the pair.
    var subject: JSONValue?
    /// The type of contract of a continuous kline.
    var contract: JSONValue?
    /// Of a kline.
    var interval: JSONValue?
  }

  /// - Parameter event: one object, checked already.
  /// - Returns: nil if a part other than the subject is missing.
  func parts(of event: UnsafeBufferPointer<UInt8>) -> Parts? {
    let container = self == .forceOrder ? UInt8(ascii: "o") : UInt8(ascii: "k")
    guard let members = try? Members(event, container: container) else { return nil }
    let parts: Parts
    switch self {
    case .kline: parts = Parts(subject: members.symbol, interval: members.inner.interval)
    case .markPriceKline:
      parts = Parts(subject: members.symbol ?? members.inner.symbol, interval: members.inner.interval)
    case .indexPriceKline: parts = Parts(subject: members.pair, interval: members.inner.interval)
    case .continuousKline:
      guard let contract = members.contract else { return nil }
      parts = Parts(subject: members.pair, contract: contract, interval: members.inner.interval)
    // The pair was `i` before it was `s`.
    case .indexPrice: return Parts(subject: members.symbol ?? members.index)
    case .forceOrder: return Parts(subject: members.symbol ?? members.inner.symbol)
    }
    return parts.interval == nil ? nil : parts
  }
}

/// The members of a special event that are strings and not empty.
private struct Members {
  /// `s`
  var symbol: JSONValue?
  /// `i`
  var index: JSONValue?
  /// `ps`
  var pair: JSONValue?
  /// `ct`
  var contract: JSONValue?
  /// `s` and `i` of the object within.
  var inner: (symbol: JSONValue?, interval: JSONValue?)

  /// - Parameter container: the key of the object within.
  init(_ event: UnsafeBufferPointer<UInt8>, container: UInt8) throws(JSONError) {
    var scanner = JSONScanner(event)
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      switch scanner.singleByteName(key) {
      case UInt8(ascii: "s"): symbol = try Self.text(&scanner)
      case UInt8(ascii: "i"): index = try Self.text(&scanner)
      case container: inner = try Self.inner(&scanner)
      case nil where event.isEqual(key, to: "ps"): pair = try Self.text(&scanner)
      case nil where event.isEqual(key, to: "ct"): contract = try Self.text(&scanner)
      default: _ = try scanner.skipValue()
      }
    }
  }

  private static func inner(
    _ scanner: inout JSONScanner
  ) throws(JSONError) -> (symbol: JSONValue?, interval: JSONValue?) {
    guard try scanner.peekKind() == .object else {
      _ = try scanner.skipValue()
      return (nil, nil)
    }
    var parts: (symbol: JSONValue?, interval: JSONValue?)
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      switch scanner.singleByteName(key) {
      case UInt8(ascii: "s"): parts.symbol = try text(&scanner)
      case UInt8(ascii: "i"): parts.interval = try text(&scanner)
      default: _ = try scanner.skipValue()
      }
    }
    return parts
  }

  private static func text(_ scanner: inout JSONScanner) throws(JSONError) -> JSONValue? {
    let value = try scanner.skipValue()
    return value.kind == .string && !value.contents.isEmpty ? value : nil
  }
}
