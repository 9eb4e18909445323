"""A loopback server that speaks the Hugging Face hub's HTTP interface, and a tiny model for it."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from rdzip.hub import registry
from rdzip.models import model_file

REPO = "org/tiny-models"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = "tiny.safetensors"
NEW_REPO = "me/my-model"
UPLOADED = "89abcdef0123456789abcdef0123456789abcdef"


class TinyModel:
    def __init__(self, tensors: Any) -> None:
        self.weights = tensors["weights"]

    def known_answer(self) -> str:
        return hashlib.sha256(np.cumsum(self.weights.astype(np.int64)).tobytes()).hexdigest()


def tiny_bytes(seed: int = 0, *, id: str = "tiny", answer: str | None = None) -> bytes:
    weights = np.random.default_rng(seed).integers(-128, 128, (100, 1000), dtype=np.int8)
    meta = {"architecture": "tiny", "version": 1, "id": id, "codecs": ["causal", "bb-ans"], "licence": "MIT"}
    meta["known_answer"] = answer or TinyModel({"weights": weights}).known_answer()
    return model_file.to_bytes({"weights": weights}, meta)


@dataclass
class Hub:
    """A server for /ORG/NAME/resolve/COMMIT/FILE, in the manner of the hub, that can misbehave.

    It also takes commits (of small files, as "regular" ones), into `uploaded`: their files are then served at UPLOADED.
    """

    data: bytes
    behaviour: str = "plain"
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    authorizations: list[str | None] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        head = handler.command == "HEAD"
        asked = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, asked))
        self.authorizations.append(handler.headers.get("Authorization"))
        if self.behaviour == "error" or (self.behaviour == "error on GET" and not head):
            self.send(handler, 500, b"broken", {})
            return
        if self.behaviour == "hostile error":
            body = b'{"error": "\\u001b[31mred\\u202e"}'
            words = {"X-Error-Message": "\x1b[31mred\x9b2J \x07"}
            self.send(handler, 400, body, {"Content-Type": "application/json"} | words)
            return
        own = f"/{NEW_REPO}/resolve/{UPLOADED}/"
        if handler.path.startswith(own) and handler.path[len(own) :] in self.uploaded:
            data = self.uploaded[handler.path[len(own) :]]
            if self.behaviour == "much" and not head:  # more than was announced, for ever
                self.pour(handler, data)
                return
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            self.send(handler, 200, data, {"ETag": etag, "X-Repo-Commit": UPLOADED, "Accept-Ranges": "bytes"})
            return
        if handler.path not in (f"/{REPO}/resolve/{COMMIT}/{FILE}", "/storage/blob"):
            self.send(handler, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        etag = f'"{hashlib.sha256(self.data).hexdigest()}"'
        headers = {"ETag": etag, "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if self.behaviour == "redirect" and handler.path != "/storage/blob":
            # Large files live with a storage provider: another host, and the linked size and ETag in the redirect.
            storage = self.url.replace("127.0.0.1", "localhost") + "/storage/blob"
            linked = {"X-Linked-Size": str(len(self.data)), "X-Linked-Etag": etag, "Location": storage}
            self.send(handler, 302, b"", headers | linked)
            return
        body = self.data
        status = 200
        always = self.behaviour.startswith("truncate always")
        if asked is not None and not always:
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            body, status = self.data[first:], 206
            headers["Content-Range"] = f"bytes {first}-{len(self.data) - 1}/{len(self.data)}"
        cut = None
        if not head and (always or (self.behaviour == "truncate once" and asked is None)):
            cut = len(body) // 2
        self.send(handler, status, body, headers, cut=cut)

    def pour(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            pass  # whom nobody listens to

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a POST: a repository made, a card checked, files asked about, a commit."""
        body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        self.requests.append(("POST", handler.path, None))
        if self.behaviour == "forbidden":
            self.send(handler, 403, b'{"error": "not yours"}', {"Content-Type": "application/json"})
            return
        if handler.path == "/api/repos/create":
            answer: dict[str, Any] = {"url": f"{self.url}/{NEW_REPO}", "name": NEW_REPO}
        elif handler.path == "/api/validate-yaml":
            answer = {"errors": [], "warnings": []}
        elif handler.path == f"/api/models/{NEW_REPO}/preupload/main":
            files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for file in json.loads(body)["files"]]  # fmt: skip
            answer = {"files": files}
        elif handler.path.startswith(f"/api/models/{NEW_REPO}/commit/main"):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.uploaded[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            answer = {"success": True, "commitUrl": f"{self.url}/{NEW_REPO}/commit/{UPLOADED}", "commitOid": UPLOADED}
        else:
            self.send(handler, 404, b"{}", {})
            return
        self.send(handler, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    @staticmethod
    def send(
        handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        handler.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(key, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body[:cut])
        if cut is not None:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve a tiny model on the loopback interface."""
    served = Hub(tiny_bytes())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.answer(self)

        do_HEAD = do_GET

        def do_POST(self) -> None:
            served.take(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        http.shutdown()
        thread.join()


def register(data: bytes, *, bundle: bool = False, hosted: bool = True) -> registry.Entry:
    path = registry.WEIGHTS / "made" / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    more = {"repo": REPO, "revision": COMMIT} if hosted else {}
    return registry.add(path, bundle=bundle, **more)
