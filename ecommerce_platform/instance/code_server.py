"""Checks whether a code server works. Run with ``python -m``, it is the health check of the server's container."""

from __future__ import annotations

import sys
from enum import Enum

import click
import grpc
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient


class Answer(Enum):
    """The state of a code server: it works, nothing is listening (yet), or it answers with an error."""

    WORKS, NOBODY, BROKEN = "works", "nobody", "broken"


def ask_code_server(*, socket: str | None = None, host: str = "localhost", port: int | None = None) -> Answer:
    """Query the process that has loaded the code, not only the proxy in front of it."""
    client = DagsterGrpcClient(socket=socket, host=host) if socket else DagsterGrpcClient(port=port, host=host)
    try:
        return Answer.WORKS if client.ping("alive")["echo"] == "alive" else Answer.BROKEN
    except DagsterUserCodeUnreachableError as error:
        reached = error.__cause__
        code = reached.code() if isinstance(reached, grpc.RpcError) and isinstance(reached, grpc.Call) else None
        return Answer.NOBODY if code == grpc.StatusCode.UNAVAILABLE else Answer.BROKEN


@click.command()
@click.option("--host", default="localhost", show_default=True)
@click.option("--port", type=int, required=True)
def main(host: str, port: int) -> None:
    """Exit with 0 if the code server answers, for the health check of a container."""
    sys.exit(0 if ask_code_server(host=host, port=port) == Answer.WORKS else 1)


if __name__ == "__main__":
    main()
