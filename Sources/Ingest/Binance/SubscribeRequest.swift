import Base

/// A message that subscribes an open connection to streams.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
/// "Live Subscribing/Unsubscribing to streams"
struct SubscribeRequest: Equatable, Sendable {
  /// Bytes of one message, as far as one name does not need more.
  static let maximumBytes = 4096

  let id: Int64
  let streams: [String]

  var text: String {
    #"{"method":"SUBSCRIBE","params":"#
      + JSONText.array(streams) + #","id":\#(id)}"#
  }

  /// The fewest requests that name all streams, in their order.
  static func covering(_ streams: [String]) -> [SubscribeRequest] {
    // Braces, method and a number of any length.
    let frame = 60
    var requests: [SubscribeRequest] = []
    var part: [String] = []
    var size = frame
    for stream in streams {
      let more = JSONText.string(stream).utf8.count + 1
      if size + more > maximumBytes, !part.isEmpty {
        requests.append(SubscribeRequest(id: Int64(requests.count + 1), streams: part))
        (part, size) = ([], frame)
      }
      part.append(stream)
      size += more
    }
    if !part.isEmpty { requests.append(SubscribeRequest(id: Int64(requests.count + 1), streams: part)) }
    return requests
  }
}
