import ArgumentParser
import Simulate

/// The flags for what is to go wrong at the stand-in exchange.
struct FaultFlags: ParsableArguments {
  @Option(help: ArgumentHelp("A random fault for a random connection about this often", valueName: "seconds"))
  var faultsEvery: String?
  @Option(
    help: ArgumentHelp(
      "Random faults to choose from (default: all): close, shutdown, reset, fin, stall, half-open, refuse, freeze, "
        + "lag, babble, error, late-pong, skip-ids, withhold, refuse-subscribe, mute-subscribe",
      valueName: "A,B,…"))
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
  @Option(
    help: ArgumentHelp("Send no data after so long, and a while later all of it", valueName: "seconds"))
  var freezeAfter: String?
  @Option(help: ArgumentHelp("Length of a freeze (default: 3)", valueName: "seconds"))
  var freezeSeconds: String?
  @Option(
    help: ArgumentHelp(
      "Send data late after so long; what waits is lost with the connection", valueName: "seconds"))
  var lagAfter: String?
  @Option(help: ArgumentHelp("How late (default: 5)", valueName: "seconds")) var lagSeconds: String?
  @Option(
    help: ArgumentHelp("After so long, say for a while only what is no tick", valueName: "seconds"))
  var babbleAfter: String?
  @Option(help: ArgumentHelp("Length of the babble (default: 5)", valueName: "seconds"))
  var babbleSeconds: String?
  @Option(help: ArgumentHelp("Say an error that answers nothing after so long", valueName: "seconds"))
  var errorAfter: String?
  @Option(
    help: ArgumentHelp(
      "After so long, leave out one to three messages of a numbered stream", valueName: "seconds"))
  var skipIdsAfter: String?
  @Option(
    help: ArgumentHelp("Answer each ping so late (a random late-pong: 12)", valueName: "seconds"))
  var latePongs: String?
  @Option(help: ArgumentHelp("Answer attempts to connect with this HTTP status", valueName: "status"))
  var refuse: String?
  @Option(help: ArgumentHelp("Say Retry-After in each refusal", valueName: "seconds"))
  var retryAfter: String?
  @Option(help: ArgumentHelp("Refuse only this share of them, at random", valueName: "0…1"))
  var refuseShare: String?
  @Option(help: ArgumentHelp("Answer this share of SUBSCRIBE requests with an error", valueName: "0…1"))
  var refuseSubscribe: String?
  @Option(
    help: ArgumentHelp(
      "With this error: 1 internal, 2 invalid stream, 3 refused for rehearsal, 4 too many (default: 3)",
      valueName: "code"))
  var subscribeError: String?
  @Option(
    help: ArgumentHelp(
      "Never answer this SUBSCRIBE request, counted from 1 over all connections", valueName: "n"))
  var muteSubscribe: String?
  @Option(
    help: ArgumentHelp(
      "Streams that there are not: a SUBSCRIBE request with one is refused whole, in a URL they are passed over",
      valueName: "a,b,…"))
  var badStream: String?
  @Option(
    help: ArgumentHelp(
      "Kinds of streams that a connection is granted and never gets while an earlier one has them",
      valueName: "aggTrade,kline,…"))
  var withhold: String?
  @Option(
    help: ArgumentHelp("How many of the streams a random withhold concerns (default: 0.3)", valueName: "0…1"))
  var withholdShare: String?
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
      (.freeze, "--freeze-after", freezeAfter), (.lag, "--lag-after", lagAfter),
      (.babble, "--babble-after", babbleAfter), (.error, "--error-after", errorAfter),
      (.skipIDs, "--skip-ids-after", skipIdsAfter),
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
    faults.retryAfter = check.whole(retryAfter, "--retry-after", 0...86_400)
    setTimes(&faults, &check)
    setSubscriptions(&faults, &check)
    faults.refuseSubscribeShare = check.number(refuseSubscribe, "--refuse-subscribe", 0...1) ?? 0
    faults.messagesWithUpgrade = check.whole(messagesWithUpgrade, "--messages-with-upgrade", 0...10_000) ?? 0
    faults.fragmentSize = check.whole(fragments, "--fragments", 1...Int.max)
    return faults
  }

  private func setTimes(_ faults: inout ExchangeFaults, _ check: inout FlagCheck) {
    faults.freezeTime = check.seconds(freezeSeconds, "--freeze-seconds") ?? faults.freezeTime
    faults.lagTime = check.seconds(lagSeconds, "--lag-seconds") ?? faults.lagTime
    faults.babbleTime = check.seconds(babbleSeconds, "--babble-seconds") ?? faults.babbleTime
    if let late = check.seconds(latePongs, "--late-pongs") {
      (faults.latePongTime, faults.hasLatePongs) = (late, true)
    }
  }

  private func setSubscriptions(_ faults: inout ExchangeFaults, _ check: inout FlagCheck) {
    if let code = check.whole(subscribeError, "--subscribe-error", 1...4) {
      faults.subscribeError = SubscriptionError(rawValue: code) ?? faults.subscribeError
    }
    faults.mutedSubscribe = check.whole(muteSubscribe, "--mute-subscribe", 1...Int.max)
    faults.badStreams = names(badStream)
    faults.withheldKinds = names(withhold)
    faults.withholdShare = check.number(withholdShare, "--withhold-share", 0...1) ?? faults.withholdShare
  }

  private func names(_ text: String?) -> Set<String> {
    Set((text ?? "").split(separator: ",").map(String.init))
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
