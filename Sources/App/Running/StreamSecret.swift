import Base
import FoundationEssentials

/// The streams that the secret lists: JSON such as `{"streams":["btcusdt@miniTicker"]}`. Whatever else is in it
/// is nobody's business.
enum StreamSecret {
  static let form = "it must be JSON such as {\"streams\":[\"btcusdt@miniTicker\"]}"

  private struct Content: Decodable {
    let streams: [String]
  }

  /// - Throws: `BadText` with a reason that shows nothing of the secret but names of streams.
  static func list(in secret: String) throws(BadText) -> StreamList {
    let names: [String]
    do {
      names = try JSONDecoder().decode(Content.self, from: Data(secret.utf8)).streams
    } catch {
      throw BadText("it is not JSON with a list of texts named streams")
    }
    do throws(BadText) {
      return try StreamList(names)
    } catch {
      throw BadText(error.reason ?? "its streams are no list of stream names")
    }
  }
}
