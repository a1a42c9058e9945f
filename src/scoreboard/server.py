"""The scoreboard and the reports behind it on this machine only, for reading only.

No part of an address ever becomes part of a path: what can be asked for is a table that is made beforehand.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from src.errors import ConfigError

HOST = "127.0.0.1"
IDLE_S = 20
LONGEST_ADDRESS = 4096
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts allow-downloads allow-modals"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Page:
    """A text that is sent as it is."""

    text: str
    content_type: str
    policy: str = "default-src 'none'; frame-ancestors 'none'; sandbox"


@dataclass(frozen=True)
class Report:
    """A file below a folder, read when it is asked for."""

    root: Path
    path: Path

    def read(self) -> bytes:
        """Its bytes.

        Raises
        ------
        OSError
            If it's not there any more, or not a regular file, or a link is on the way from the folder to it.
        """
        relative = self.path.relative_to(self.root)
        if self.path.resolve(strict=True) != self.root.resolve(strict=True) / relative:
            raise OSError(errno.ELOOP, "a link", str(self.path))
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(self.path))
            return file.read()


def serve(shelf: Callable[[], Mapping[str, Page | Report]], port: int, say: Callable[[str], None]) -> None:
    """Answer until Ctrl-C.

    Parameters
    ----------
    shelf : callable
        Gives what there is, by decoded address; asked for every time that the page is.
    port : int
        0 takes any that is free.
    say : callable
        Told where the page is.

    Raises
    ------
    ConfigError
        If the port can't be had.
    """
    try:
        server = _Server((HOST, port), _Handler)
    except (OSError, OverflowError) as error:
        raise ConfigError(_why_no_port(port, error)) from error
    with server:
        server.shelf, server.asked_for = shelf, shelf()
        say(f"http://{HOST}:{server.server_port}/")
        server.serve_forever(poll_interval=0.1)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    shelf: Callable[[], Mapping[str, Page | Report]]
    asked_for: Mapping[str, Page | Report]

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lock = threading.Lock()

    def find(self, address: str) -> Page | Report | None:
        if address == "/":
            with self.lock:
                self.asked_for = self.shelf()
        return self.asked_for.get(address)

    def handle_error(self, request, client_address) -> None:
        """A visitor who leaves in the middle of an answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class refuses: requests that are none, and every method but GET and HEAD."""
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        allowed = {"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._send(status, f"{status.phrase}.\n".encode(), {"Connection": "close"} | allowed, self.command != "HEAD")

    def _answer(self, with_body: bool) -> None:
        if self.headers.get("Host", "") not in {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"This is another server.\n", with_body=with_body)
            return
        try:
            found = self.server.find(_decoded(self.path))
            if found is None:
                raise FileNotFoundError(self.path)
            data = found.text.encode() if isinstance(found, Page) else found.read()
        except (OSError, ValueError):
            self._send(HTTPStatus.NOT_FOUND, b"There is no such page.\n", with_body=with_body)
            return
        is_page = isinstance(found, Page)
        headers = {
            "Content-Type": found.content_type if is_page else "text/html; charset=utf-8",
            "Content-Security-Policy": found.policy if is_page else REPORT_POLICY,
        }
        self._send(HTTPStatus.OK, data, headers, with_body)

    def _send(self, status: HTTPStatus, data: bytes, headers: Mapping[str, str] | None = None, with_body: bool = True) -> None:
        plain = {"Content-Type": "text/plain; charset=utf-8", "Content-Security-Policy": "default-src 'none'"}
        self.send_response(status)
        for name, value in {**HEADERS, **plain, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def version_string(self) -> str:
        return "scoreboard"

    def log_message(self, *arguments) -> None:
        """Say nothing of requests."""


def _decoded(target: str) -> str:
    """The path of an address, decoded once; an address of another form is none of ours.

    Raises
    ------
    ValueError
    """
    if not target.startswith("/") or len(target) > LONGEST_ADDRESS:
        raise ValueError(target)
    return unquote(urlsplit(target).path, errors="strict")


def _why_no_port(port: int, error: Exception) -> str:
    if isinstance(error, OverflowError):
        return f"--port {port} is not a port: choose one from 1024 to 65535, or 0 for a free one"
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8000
        return f"Port {port} is in use. Choose another: python -m src.scoreboard --serve --port {other}"
    return f"Port {port} cannot be used ({error.strerror}). Choose another: python -m src.scoreboard --serve --port 8000"
