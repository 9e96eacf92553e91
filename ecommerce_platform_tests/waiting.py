"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def wait_for(what: str, look: Callable[[], Seen | None], seconds: float = 60, pause: float = 0.2) -> Seen:
    """Poll until the result is truthy and return it; fails with ``what`` after the given number of seconds."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not seen in {seconds} s: {what}"
        time.sleep(pause)
