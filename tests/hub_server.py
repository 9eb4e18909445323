"""A loopback server that speaks the Hugging Face hub's HTTP interface, and a tiny model for it."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from rdzip import registry
from rdzip.models import modelfile

REPO = "org/tiny-models"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = "tiny.safetensors"


class TinyModel:
    def __init__(self, tensors: Any) -> None:
        self.weights = tensors["weights"]

    def known_answer(self) -> str:
        return hashlib.sha256(np.cumsum(self.weights.astype(np.int64)).tobytes()).hexdigest()


def tiny_bytes(seed: int = 0, *, id: str = "tiny", answer: str | None = None) -> bytes:
    weights = np.random.default_rng(seed).integers(-128, 128, (100, 1000), dtype=np.int8)
    meta = {"architecture": "tiny", "version": 1, "id": id, "codecs": ["causal", "bb-ans"], "licence": "MIT"}
    meta["known_answer"] = answer or TinyModel({"weights": weights}).known_answer()
    return modelfile.to_bytes({"weights": weights}, meta)


@dataclass
class Hub:
    """A server for /ORG/NAME/resolve/COMMIT/FILE, in the manner of the hub, that can misbehave."""

    data: bytes
    behaviour: str = "plain"
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        head = handler.command == "HEAD"
        asked = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, asked))
        if self.behaviour == "error" or (self.behaviour == "error on GET" and not head):
            self.send(handler, 500, b"broken", {})
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
