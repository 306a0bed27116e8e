import NIOSSL

/// The feed's check of the exchange's certificate.
package enum TrustRoots {
  /// Looks whether certificates can be verified against those in a file.
  ///
  /// - Throws: `FeedError` (`badCABundle`) if the file cannot be used.
  package static func check(caBundle: String) throws(FeedError) {
    _ = try context(caBundle: caBundle)
  }

  /// Certificates are verified against the system's roots or those in a file, and so is the name in them.
  ///
  /// - Throws: `FeedError` (`badCABundle`) if the file cannot be used.
  static func context(caBundle: String?) throws(FeedError) -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .fullVerification
    do {
      if let caBundle {
        let certificates = try NIOSSLCertificate.fromPEMFile(caBundle)
        guard !certificates.isEmpty else {
          throw FeedError(.badCABundle, "there is no certificate in \(caBundle)")
        }
        configuration.trustRoots = .certificates(certificates)
      }
      return try NIOSSLContext(configuration: configuration)
    } catch let error as FeedError {
      throw error
    } catch {
      throw FeedError(
        .badCABundle, "cannot use the trusted certificates in \(caBundle ?? "the system"): \(error)")
    }
  }
}
