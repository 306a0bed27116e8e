import ArgumentParser

/// The flags of one kind of destination, and with them its place in the program's list of destinations.
package protocol DestinationFlags: ParsableArguments, Sendable {
  associatedtype Settings: DestinationSettings
}
