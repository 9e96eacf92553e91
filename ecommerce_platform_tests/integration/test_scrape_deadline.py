"""A database that stops answering in the middle of a scrape: the scrape ends, and its thread is free for the next."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from psycopg.conninfo import conninfo_to_dict

from ecommerce_platform.reports.metrics import PlatformCollector, reading
from ecommerce_platform.settings import Settings

LIMIT = 120
"""Seconds until a call counts as hanging; far more than a scrape may take, on a busy machine."""


class StallingProxy:
    """Forwards connections to a database, and nothing any more once a client has sent ``trigger``.

    Its connections stay open, as those to a server that hangs, or whose network is gone.
    """

    def __init__(self, url: str, trigger: bytes):
        given = conninfo_to_dict(url)
        self._target = (str(given["host"]), int(str(given["port"])))
        self._trigger = trigger
        self.is_stalled = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        where = f"127.0.0.1:{self._listener.getsockname()[1]}/{given['dbname']}?sslmode=disable"
        self.url = f"postgresql://{given['user']}@{where}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._target
        if not host.startswith("/"):
            return socket.create_connection(self._target)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while sent := source.recv(65_536):
                if self._trigger in sent:
                    self.is_stalled.set()
                if not self.is_stalled.is_set():
                    target.sendall(sent)
            if not self.is_stalled.is_set():
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for each in self._open:
            each.close()


@contextmanager
def stalling(url: str, trigger: bytes) -> Iterator[StallingProxy]:
    proxy = StallingProxy(url, trigger)
    try:
        yield proxy
    finally:
        proxy.close()


def ends(call: Callable[[], object]) -> list[object]:
    """Return what a call returns or raises; fail if it hangs."""
    result: list[object] = []

    def run() -> None:
        try:
            result.append(call())
        except Exception as error:
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive(), "it hangs"
    return result


@pytest.mark.parametrize("trigger", [b"set local role", b"incomplete_days", b"client_connection_check_interval"])
def test_a_database_that_stops_answering_ends_the_scrape(database_url: str, tmp_path: Path, trigger: bytes) -> None:
    """The last trigger is in the first message of a connection: the server accepts it and then says nothing."""
    with stalling(database_url, trigger) as proxy:
        registry = CollectorRegistry()
        registry.register(PlatformCollector(Settings(data_dir=tmp_path, database_url=proxy.url)))
        (served,) = ends(lambda: generate_latest(registry))
        assert isinstance(served, bytes)
        assert b"\necommerce_up 0.0\n" in served
        assert b"\necommerce_dagster_up 0.0\n" in served
        assert proxy.is_stalled.is_set()


def test_the_error_says_that_the_database_did_not_answer(database_url: str) -> None:
    def ask(url: str) -> None:
        with reading(url) as connection:
            connection.execute("select 'stall'")

    with stalling(database_url, b"'stall'") as proxy:
        (error,) = ends(lambda: ask(proxy.url))
    assert str(error) == "the database has not answered within 4 seconds"


def test_a_database_that_answers_is_read_through_the_same_proxy(database_url: str) -> None:
    with stalling(database_url, b"never sent") as proxy, reading(proxy.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
