import Base

extension Figures {
  /// Per second: `12,345/s`, below ten with one digit after the point.
  static func rate(_ count: Int, in duration: Duration) -> String {
    guard duration > .zero else { return "0/s" }
    let rate = Double(count) / (duration / .seconds(1))
    return (rate < 10 ? decimal(rate) : grouped(Int(rate))) + "/s"
  }
}
