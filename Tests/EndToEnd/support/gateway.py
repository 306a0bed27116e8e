"""An endpoint that checks every signature with botocore before it passes a request on to MiniStack, and a metadata
service that hands out keys as the test says."""

import hashlib
import http.client
import json
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_SCOPE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w{64})"
)
_HANDED_OUT = re.compile(rb"<(?:SecretAccessKey|SessionToken)>([^<]+)<")


@dataclass(frozen=True)
class Key:
    id: str
    secret: str
    token: str | None = None
    expires: float | None = None


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    service: str
    operation: str
    path: str
    headers: dict[str, str]
    complaint: str | None
    body: bytes
    time: float = field(default_factory=time.time)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A connection that breaks is the client's to notice."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def _do(self):
        self.server.owner._handle(self)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _do

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name in headers or {}}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Listening:
    def __init__(self, tls: ssl.SSLContext | None = None):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        if tls:
            self.url = f"https://localhost:{self.port}"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class CheckingGateway(_Listening):
    """Refuses what botocore would have signed differently, and keys that are unknown or have expired."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None):
        self._port = port
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self.seen: list[Seen] = []
        self.handed_out: list[str] = []
        """Secrets and tokens that STS gave through this endpoint."""
        self.before = lambda seen: None
        """Answers in the place of MiniStack: status, headers and content, or None."""
        self.after = lambda seen, status, headers, content: (status, headers, content)
        """Changes what MiniStack answers."""
        super().__init__(tls)

    def know(self, key: Key) -> None:
        with self._lock:
            self._keys[key.id] = key

    @property
    def complaints(self) -> list[str]:
        return [f"{seen.operation}: {seen.complaint}" for seen in self.seen if seen.complaint]

    def _handle(self, handler: _Handler) -> None:
        body = handler.body()
        headers = {name.lower(): value for name, value in handler.headers.items()}
        complaint = self._complaint(handler.command, handler.path, headers, body)
        seen = Seen(_service(headers), _operation(handler.command, headers, body), handler.path, headers, complaint, body)
        with self._lock:
            self.seen.append(seen)
        if complaint:
            code = "ExpiredToken" if complaint == "expired" else "SignatureDoesNotMatch"
            page = f"<Error><Code>{code}</Code><Message>{complaint}</Message></Error>"
            if "x-amz-target" in headers:
                page = json.dumps({"__type": code + "Exception", "message": complaint})
            return handler.answer(403, page.encode())
        if instead := self.before(seen):
            status, kept, content = instead
            return handler.answer(status, content, kept)
        behind = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        behind.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            behind.putheader(name, value)
        behind.endheaders(body)
        reply = behind.getresponse()
        content = reply.read()
        self.handed_out += [secret.decode() for secret in _HANDED_OUT.findall(content)]
        drop = {"transfer-encoding", "connection", "keep-alive"}
        kept = {name: value for name, value in reply.getheaders() if name.lower() not in drop}
        if handler.command != "HEAD":
            kept = {name: value for name, value in kept.items() if name.lower() != "content-length"}
        status, kept, content = self.after(seen, reply.status, kept, content)
        handler.answer(status, content, kept)
        behind.close()

    def _complaint(self, method: str, path: str, headers: dict[str, str], body: bytes) -> str | None:
        if b"Action=AssumeRoleWithWebIdentity" in body:
            return "signed, but should not be" if "authorization" in headers else None
        match = _SCOPE.fullmatch(headers.get("authorization", ""))
        if not match:
            return "no signature"
        key_id, day, region, service, names, signature = match.groups()
        with self._lock:
            key = self._keys.get(key_id)
        if key is None:
            return "unknown key"
        if key.expires is not None and key.expires <= time.time():
            return "expired"
        if headers.get("x-amz-security-token") != key.token:
            return "another token"
        sent = hashlib.sha256(body).hexdigest()
        if service == "s3" and headers.get("x-amz-content-sha256") != sent:
            return "x-amz-content-sha256 is not the body's"
        unsigned = {
            "authorization", "user-agent", "content-length", "accept", "accept-encoding", "amz-sdk-invocation-id",
            "amz-sdk-request",
        }
        if missing := set(headers) - unsigned - set(names.split(";")):
            return f"not signed: {missing}"
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(
            Credentials(key.id, key.secret, key.token), service, region
        )
        request = AWSRequest(
            method=method, url=f"http://{headers['host']}{path}", data=body,
            headers={name: headers[name] for name in names.split(";")},
        )
        request.context["timestamp"] = headers["x-amz-date"]
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        if expected != signature or day != headers["x-amz-date"][:8]:
            return "another signature than botocore's"
        return None


def _service(headers: dict[str, str]) -> str:
    match = _SCOPE.fullmatch(headers.get("authorization", ""))
    return match[4] if match else ""


def _operation(method: str, headers: dict[str, str], body: bytes) -> str:
    if "x-amz-target" in headers:
        return headers["x-amz-target"].split(".")[-1]
    if body.startswith(b"Action="):
        return parse_qs(body.decode())["Action"][0]
    return {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}[method]


class Metadata(_Listening):
    """IMDSv2 and a container's endpoint. `make` gives the next key; `mood` decides about each request for keys:
    None to answer, a status, or bytes to answer instead."""

    TOKEN = "METADATATOKEN=="

    def __init__(self, make, mood=lambda number: None):
        self._make, self._mood = make, mood
        self._lock = threading.Lock()
        self.asked = 0
        self.failed = 0
        super().__init__()

    def _handle(self, handler: _Handler) -> None:
        handler.body()
        if handler.path == "/latest/api/token":
            isWell = handler.command == "PUT" and handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return handler.answer(200 if isWell else 400, Metadata.TOKEN.encode())
        if handler.path.startswith("/latest/") and handler.headers.get("X-aws-ec2-metadata-token") != Metadata.TOKEN:
            return handler.answer(401)
        if handler.path.endswith("/security-credentials/"):
            return handler.answer(200, b"shipper")
        with self._lock:
            self.asked += 1
            mood = self._mood(self.asked)
            self.failed += mood is not None
        if isinstance(mood, int):
            return handler.answer(mood)
        if isinstance(mood, bytes):
            return handler.answer(200, mood)
        key = self._make()
        expires = datetime.fromtimestamp(key.expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        handler.answer(200, json.dumps({
            "Code": "Success", "AccessKeyId": key.id, "SecretAccessKey": key.secret, "Token": key.token,
            "Expiration": expires,
        }).encode(), {"Date": formatdate(usegmt=True)})
