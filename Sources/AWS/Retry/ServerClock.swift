/// The lead of a server's clock over this machine's, as refused signatures have told it: a pure value.
///
/// A single `Date` may be wrong, a proxy's or a broken host's. So another lead counts only when the answer to a
/// request that was sent after the first one's answer says the same.
struct ServerClock: Equatable {
  private struct Claim: Equatable {
    let lead: Int
    /// The requests of this round and later ones were sent after it was made.
    let round: Int
  }

  /// Leads that differ by no more are the same; seconds.
  static let tolerance = 60

  /// Seconds that are added to this machine's clock.
  private(set) var lead = 0
  /// The number that a request is to remember when it is sent.
  private(set) var round = 0
  private var claim: Claim?

  /// Takes note of a signature that was refused for its time.
  ///
  /// - Parameters:
  ///   - lead: of the answer's `Date`.
  ///   - round: when the request was sent.
  /// - Returns: whether another lead counts from now on.
  mutating func refused(lead: Int, sentIn round: Int) -> Bool {
    guard abs(lead - self.lead) > Self.tolerance else { return false }
    if let claim, abs(lead - claim.lead) <= Self.tolerance {
      // Requests that were in flight together are one question.
      guard round >= claim.round else { return false }
      self.lead = lead
      self.claim = nil
      return true
    }
    self.round += 1
    claim = Claim(lead: lead, round: self.round)
    return false
  }

  /// Takes note of a signature that was accepted: the lead is right.
  mutating func accepted() {
    claim = nil
  }
}
