/// An access point of S3, by its ARN: it takes the place of a bucket.
///
/// Reference: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
package struct AccessPoint: Sendable, Equatable {
  let region: String
  let account: String
  let name: String

  /// nil for anything else than `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`; ARNs of multi-region access points, of
  /// Object Lambda and of Outposts among it: those are signed or answered in other ways.
  package init?(arn: String) {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[1] == "aws" || parts[1].hasPrefix("aws-"),
      parts[2] == "s3"
    else { return nil }
    let halves = parts[5].split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "/" || $0 == ":" }
    guard halves.count == 2, halves[0] == "accesspoint", Self.isLabel(parts[3]), !parts[3].isEmpty,
      parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      (3...50).contains(halves[1].utf8.count), Self.isLabel(halves[1])
    else { return nil }
    (region, account, name) = (String(parts[3]), String(parts[4]), String(halves[1]))
  }

  private static func isLabel(_ text: Substring) -> Bool {
    !text.hasPrefix("-") && !text.hasSuffix("-")
      && text.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
  }
}
