"""Ports for the servers that tests start."""

from __future__ import annotations

import contextlib
import os
import random
import socket


def free_port() -> int:
    """A port on which nothing listens, from a range of this test process, so that two of them never choose the same."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20_000 + 1_000 * worker  # below the ports that the system gives to clients
    for port in random.sample(range(first, first + 1_000), 1_000):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
