import ArgumentParser

@main
struct Tickwal: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "A durable ingester of exchange ticks.")
}
