"""A real S3 server in a process of its own, and a gate before it that can be shut or hold a file half-way."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import boto3

from ecommerce_platform_tests.ports import free_port

BUCKET = "files"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
SERVE = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class S3Server:
    """moto's S3 server with an empty bucket, and a client that reaches it past every gate."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.port)],
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not self._listens():
            assert self._process.poll() is None, "the S3 server has ended"
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.1)
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def content(self, key: str) -> bytes:
        """The content of an object."""
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object as another program does."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=dict(metadata or {}))

    def stop(self) -> None:
        """End the server; its objects are gone."""
        self._process.kill()
        self._process.wait()


class Gate:
    """Forwards connections to a server until it is shut; may hold the first request for a name half-way.

    Attributes:
        held: set once a request is held: half of its body, or half of its answer, has gone through.
    """

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self.port = free_port()
        self.held = threading.Event()
        self._pattern: re.Pattern[bytes] | None = None
        self._is_answer = False
        self._passed: list[bytes] = []
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.open()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process finds the server through this gate."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    @property
    def requests(self) -> list[str]:
        """Method and path of each request so far."""
        return [line.decode().rsplit(" ", 1)[0] for line in self._passed]

    def hold(self, method: str, name: str) -> None:
        """Let only half of the next ``PUT`` of a name through, or half of the answer to its next ``GET``."""
        self.held.clear()
        self._is_answer = method == "GET"
        self._pattern = re.compile(rb"^%b \S*%b[ ?]" % (method.encode(), re.escape(name.encode())), re.MULTILINE)

    def open(self) -> None:
        """Accept connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and cut those that are open."""
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections, held ones too, and hold no other."""
        self._pattern = None
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._sockets |= {client, server}
                is_held = threading.Event()
                for source, target, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._forward, args=(source, target, is_answer, is_held), daemon=True
                    ).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_answer: bool, is_held: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not is_answer:
                    self._passed += re.findall(rb"^(?:GET|PUT|HEAD|POST|DELETE) \S+ HTTP", data, re.MULTILINE)
                    if self._pattern is not None and self._pattern.search(data):
                        is_held.set()
                        self._pattern = None
                if is_held.is_set() and is_answer == self._is_answer:
                    head, _, body = data.partition(b"\r\n\r\n")
                    if body or not head.startswith((b"PUT", b"HTTP")):
                        target.sendall(data[: len(data) - len(body) // 2 - 1])
                        self.held.set()
                        while source.recv(65536):
                            pass
                        break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._sockets.discard(one)
