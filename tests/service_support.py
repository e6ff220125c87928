"""A service of this very process on a free port, and raw sockets to misuse it."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image

from convtrace.detection import Detector
from convtrace.service import Settings, make_server

SECONDS = 180


def picture_bytes(seed: int = 0, size: tuple[int, int] = (160, 120), form: str = "PNG") -> bytes:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, size=(20, 24, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(buffer, form)
    return buffer.getvalue()


@dataclass
class Running:
    server: uvicorn.Server
    port: int
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False, **options)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def wait_until(self, path: str = "/readyz", status: int = 200) -> None:
        with self.client() as client:
            wait_for(lambda: client.get(path).status_code == status)

    def metric(self, name: str) -> float:
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def wait_for(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextmanager
def running(
    detector: Any, *, ready: bool = True, isolated: bool = False, **settings: Any
) -> Iterator[Running]:
    # In this process by default: it is ready sooner, and `Slow` cannot leave it.
    server = make_server(detector, Settings(port=0, isolated=isolated, **settings))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        found = Running(server, port, thread)
        if ready:
            found.wait_until()
        yield found
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


class Slow:
    """A detector that judges when it is let, for the tests of what waits."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.card_ = detector.card_
        self.go = threading.Event()
        self.begun = 0
        self._warm = False

    def verdict(self, source: Any) -> Any:
        if self._warm:
            self.begun += 1
            assert self.go.wait(SECONDS)
        self._warm = True
        return self._detector.verdict(source)


def multipart(data: bytes, *, name: str = "a.png") -> tuple[bytes, str]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="'
        + name.encode()
        + b'"\r\nContent-Type: image/png\r\n\r\n'
        + data
        + b"\r\n--b--\r\n"
    )
    return body, "multipart/form-data; boundary=b"


def head(length: int, *, path: str = "/v1/scan") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
        f"boundary=b\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def read_all(connection: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not piece:
            return found
        found += piece


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["detail"]
    return body
