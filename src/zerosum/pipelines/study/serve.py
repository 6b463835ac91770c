"""Serve the page of a study, and keep the answers that come back."""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import gaierror

from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.pipelines.study.make import PAGE
from zerosum.pipelines.study.score import ANSWERS, check, read_key

LARGEST = 1_000_000
"""Bytes of one rater's answers beyond which they are refused."""


class Server(ThreadingHTTPServer):
    """Gives the page to browsers and writes each rater's answers to a file of their own.

    Only the page can be read: the key and the answers cannot.
    """

    def __init__(self, folder: str | Path, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Open the port.

        Args:
            folder: What `make` wrote.
            host: `127.0.0.1` for this machine alone, `0.0.0.0` for the network.
            port: 0 takes a free one.

        Raises:
            UserError: The folder holds no study or may not be written to, the port is taken, or
                the address is not of this machine.
        """
        self.folder = Path(folder)
        self.key = read_key(self.folder)
        self.page = (self.folder / PAGE).read_bytes()
        (self.folder / ANSWERS).mkdir(exist_ok=True)
        if not os.access(self.folder / ANSWERS, os.W_OK):
            raise UserError(
                f"{self.folder / ANSWERS} may not be written to, so answers would be lost: serve "
                "a copy of the study that you may write to"
            )
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            number = getattr(error, "errno", None)
            no_such_host = isinstance(error, gaierror) or number == errno.EADDRNOTAVAIL
            raise UserError(
                f"cannot listen on {host}:{port} ({getattr(error, 'strerror', error)}): give "
                f"another {'--host' if no_such_host else '--port'}"
            ) from error

    @property
    def address(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        if self.path.split("?")[0] not in ("/", "/index.html"):
            self._reply(HTTPStatus.NOT_FOUND, b"not here")
            return
        self._reply(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/answers" or not 0 < length <= LARGEST:
            self._reply(HTTPStatus.BAD_REQUEST, b"these are no answers")
            return
        try:
            answers = json.loads(self.rfile.read(length))
            check(answers, self.server.key, "the request")
        except (ValueError, RecursionError, UserError) as error:
            self._reply(HTTPStatus.BAD_REQUEST, str(error).encode())
            return
        path = self.server.folder / ANSWERS / f"{secrets.token_hex(8)}.json"
        try:
            write_text(path, json.dumps(answers) + "\n")
        except UserError as error:  # the page tells the rater to keep them
            print(f"zerosum: answers are lost: {error}", file=sys.stderr)
            self._reply(HTTPStatus.INSUFFICIENT_STORAGE, b"the answers could not be kept")
            return
        self._reply(HTTPStatus.OK, b"thank you")

    def _reply(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: raters' addresses are nobody's business."""
