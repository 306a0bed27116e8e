import FoundationEssentials

/// A request that a client sends over the open connection.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
/// "Live Subscribing/Unsubscribing to streams"
struct ClientRequest: Equatable, Sendable {
  enum Method: String, Codable, Sendable {
    case subscribe = "SUBSCRIBE"
    case unsubscribe = "UNSUBSCRIBE"
    case listSubscriptions = "LIST_SUBSCRIPTIONS"
  }

  /// The id, which the answer repeats.
  enum ID: Codable, Equatable, Sendable {
    case number(Int64)
    case text(String)
    case none

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .none
      } else if let number = try? container.decode(Int64.self) {
        self = .number(number)
      } else {
        self = .text(try container.decode(String.self))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .number(let number): try container.encode(number)
      case .text(let text): try container.encode(text)
      case .none: try container.encodeNil()
      }
    }
  }

  let method: Method
  let streams: [String]
  let id: ID

  private struct Wire: Codable {
    var method: Method
    var params: [String]?
    var id: ID?
  }

  /// Throws what the decoder says if the text is not such a request.
  init(json: [UInt8]) throws {
    let wire = try JSONDecoder().decode(Wire.self, from: Data(json))
    method = wire.method
    streams = wire.params ?? []
    id = wire.id ?? .none
  }

  /// `{"result":null,"id":1}`, or with the list that was asked for. Throws what the encoder says.
  func answer(listing names: [String]?) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Put together by hand because the encoder does not promise the exchange's order of keys.
    return try Array("{\"result\":".utf8) + encoder.encode(names) + Array(",\"id\":".utf8)
      + encoder.encode(id) + Array("}".utf8)
  }

  /// The answer to a request that is not granted. Throws what the encoder says.
  func denial(_ error: SubscriptionError) throws -> [UInt8] {
    let members = "\"code\":\(error.rawValue),\"msg\":\"\(error.message)\""
    // Servers wrap the error, the documents show it flat: one kind is sent in the documents' form.
    let opening = error == .internalError ? "{\(members)" : "{\"error\":{\(members)}"
    return try Array((opening + ",\"id\":").utf8) + JSONEncoder().encode(id) + Array("}".utf8)
  }

  /// The answer to something that is no request.
  static let invalid = Array(#"{"error":{"code":2,"msg":"Invalid request"},"id":null}"#.utf8)
}
