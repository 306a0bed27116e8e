import ArgumentParser
import Simulate

/// The flags for what is to go wrong at the stand-in exchange.
struct FaultFlags: ParsableArguments {
  @Option(help: ArgumentHelp("A random fault for a random connection about this often", valueName: "seconds"))
  var faultsEvery: String?
  @Option(
    help: ArgumentHelp(
      "Random faults to choose from: close, shutdown, reset, fin, stall, half-open, refuse (default: all but "
        + "shutdown)", valueName: "A,B,…"))
  var faultKinds: String?
  @Option(
    help: ArgumentHelp(
      "24 h compressed: end each connection at this age, announced by serverShutdown", valueName: "seconds"))
  var day: String?
  @Option(
    help: ArgumentHelp(
      "Time between serverShutdown and the end (default: 2, with --day a twentieth of it)",
      valueName: "seconds"))
  var shutdownNotice: String?
  @Option(help: ArgumentHelp("Close each connection after so long", valueName: "seconds"))
  var closeAfter: String?
  @Option(help: ArgumentHelp("Close each connection after so many messages", valueName: "n"))
  var closeAfterMessages: String?
  @Option(help: ArgumentHelp("Code in the close frames", valueName: "code")) var closeCode: String?
  @Option(help: ArgumentHelp("Announce by serverShutdown after so long, then close", valueName: "seconds"))
  var shutdownAfter: String?
  @Option(
    help: ArgumentHelp(
      "End each connection after so long in the middle of a frame, by a TCP reset", valueName: "seconds"))
  var resetAfter: String?
  @Option(
    help: ArgumentHelp(
      "End each connection after so long in the middle of a frame, by a FIN", valueName: "seconds"))
  var finAfter: String?
  @Option(
    help: ArgumentHelp("Send no more data after so long; pings and pongs go on", valueName: "seconds"))
  var stallAfter: String?
  @Option(
    help: ArgumentHelp(
      "Send nothing more after so long and answer nothing, but stay connected", valueName: "seconds"))
  var halfOpenAfter: String?
  @Option(help: ArgumentHelp("Answer attempts to connect with this HTTP status", valueName: "status"))
  var refuse: String?
  @Option(help: ArgumentHelp("Refuse only this share of them, at random", valueName: "0…1"))
  var refuseShare: String?
  @Option(help: ArgumentHelp("Answer this share of SUBSCRIBE requests with an error", valueName: "0…1"))
  var refuseSubscribe: String?
  @Option(
    help: ArgumentHelp("Send so many messages in one segment with the answer to the upgrade", valueName: "n"))
  var messagesWithUpgrade: String?
  @Option(help: ArgumentHelp("Send messages in fragments of at most so many bytes", valueName: "bytes"))
  var fragments: String?

  func faults(_ check: inout FlagCheck) -> ExchangeFaults {
    var faults = ExchangeFaults()
    faults.randomEvery = check.seconds(faultsEvery, "--faults-every")
    if let faultKinds { faults.randomKinds = kinds(faultKinds, &check) }
    let notice = check.seconds(shutdownNotice, "--shutdown-notice")
    faults.shutdownNotice = notice ?? faults.shutdownNotice
    for (kind, flag, text) in [
      (FaultKind.close, "--close-after", closeAfter), (.shutdown, "--shutdown-after", shutdownAfter),
      (.reset, "--reset-after", resetAfter), (.fin, "--fin-after", finAfter),
      (.stall, "--stall-after", stallAfter), (.halfOpen, "--half-open-after", halfOpenAfter),
    ] {
      faults.afterOpening[kind] = check.seconds(text, flag)
    }
    if let day, let length = check.seconds(day, "--day") {
      if shutdownAfter != nil { check.problem("--day", day, "given without --shutdown-after") }
      faults.setDay(length, notice: notice ?? length / 20)
    }
    faults.closeAfterMessages = check.whole(closeAfterMessages, "--close-after-messages", 1...Int.max)
    // RFC 6455, section 7.4.2: what may be in a close frame.
    faults.closeCode = check.whole(closeCode, "--close-code", 1000...4999).map(UInt16.init) ?? 1000
    faults.refuseWithStatus = check.whole(refuse, "--refuse", 200...599)
    if let refuseShare {
      if refuse == nil { check.problem("--refuse-share", refuseShare, "given together with --refuse") }
      faults.refuseShare = check.number(refuseShare, "--refuse-share", 0...1) ?? 1
    }
    faults.refuseSubscribeShare = check.number(refuseSubscribe, "--refuse-subscribe", 0...1) ?? 0
    faults.messagesWithUpgrade = check.whole(messagesWithUpgrade, "--messages-with-upgrade", 0...10_000) ?? 0
    faults.fragmentSize = check.whole(fragments, "--fragments", 1...Int.max)
    return faults
  }

  private func kinds(_ text: String, _ check: inout FlagCheck) -> [FaultKind] {
    text.split(separator: ",", omittingEmptySubsequences: false).compactMap { name in
      if let kind = FaultKind(rawValue: String(name)) { return kind }
      let known = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
      check.problem("--fault-kinds", String(name), "one of \(known)")
      return nil
    }
  }
}
