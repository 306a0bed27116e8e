"""Starts the fuzzing server of the Autobahn test suite on loopback alone. Python 2.7; argument: its JSON file."""

import json
import sys

from autobahntestsuite import choosereactor  # noqa: F401, first: it installs the reactor
from autobahntestsuite import fuzzing
from twisted.internet import reactor

PATIENCE = 10
"""The suite gives a client one second here and there, which a busy machine may not have; now it gives ten."""


def patiently(method):
    return lambda self, delay: method(self, PATIENCE * delay)


for name in ["killAfter", "closeAfter"]:
    setattr(fuzzing.FuzzingProtocol, name, patiently(getattr(fuzzing.FuzzingProtocol, name).__func__))
with open(sys.argv[1]) as file:
    specification = json.load(file)
factory = fuzzing.FuzzingServerFactory(specification)
factory.setProtocolOptions(closeHandshakeTimeout=PATIENCE)
reactor.listenTCP(factory.port, factory, interface="127.0.0.1")
reactor.callWhenRunning(sys.stdout.write, "ready\n")
reactor.run()
