"""A certificate authority of a test's own, made with the `openssl` command."""

import ssl
import subprocess
from pathlib import Path

CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""
PAST = "20200101000000Z", "20200201000000Z"
PRESENT = "20200101000000Z", "20991231000000Z"


class Authority:
    """Issues certificates for 127.0.0.1; `bundle` is what must be trusted."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self._folder = folder
        self.bundle = folder / "ca.pem"
        (folder / "index").touch()
        (folder / "serial").write_text("01")
        (folder / "ca.cnf").write_text(CONFIGURATION.format(folder=folder))
        self._openssl(
            "req", "-x509", *self._new_key("ca"), "-days", "30", "-subj", "/CN=authority", "-out", self.bundle
        )

    def server(self, period: tuple[str, str] = PRESENT) -> ssl.SSLContext:
        subject = "-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"
        self._openssl("req", *self._new_key("server"), *subject, "-out", self._folder / "server.csr")
        self._openssl(
            "ca", "-batch", "-config", self._folder / "ca.cnf", "-cert", self.bundle, "-keyfile",
            self._folder / "ca.key", "-in", self._folder / "server.csr", "-out", self._folder / "server.pem",
            "-notext", "-startdate", period[0], "-enddate", period[1],
        )
        return self._context("server")

    def self_signed(self) -> ssl.SSLContext:
        """A certificate that vouches for itself."""
        self._openssl(
            "req", "-x509", *self._new_key("alone"), "-days", "30", "-subj", "/CN=alone", "-addext",
            "subjectAltName=IP:127.0.0.1", "-out", self._folder / "alone.pem",
        )
        return self._context("alone")

    def _new_key(self, name: str) -> list:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._folder / f"{name}.key"]

    def _context(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        return context

    def _openssl(self, *arguments) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
