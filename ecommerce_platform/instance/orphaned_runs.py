"""Runs whose worker is gone. The daemon finds them while it runs; a load before the daemon starts has to find them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from pathlib import Path

import psutil
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import GRPC_INFO_TAG

PROCESS_TAG = "ecommerce/process"
"""The tag of a run that names the process that executes it, where that is one of ours."""

IN_PROGRESS = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def fail_orphaned_runs(instance: DagsterInstance) -> list[str]:
    """Fail the runs whose worker is gone: the next run would wait for them.

    Those are runs of a process that was killed, and runs that the code server of a killed ``up`` had launched. Runs of
    other machines and of other code servers are left to their daemon.

    Returns:
        The ids of the runs.
    """
    failed = []
    for run in instance.get_runs(filters=RunsFilter(statuses=IN_PROGRESS)):
        if _has_lost_its_worker(run):
            instance.report_run_failed(run, "The process that executed this run is gone.")
            failed.append(run.run_id)
    return failed


def this_process() -> str:
    """What names this process among all that ever ran on this machine: the value of :data:`PROCESS_TAG`."""
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.0f}"


def code_server_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder for the socket of a code server, whose name says on which machine it is.

    Short, because the path of a socket may have about a hundred characters; only its owner may enter it.
    """
    return tempfile.TemporaryDirectory(prefix=_folder_prefix(), dir="/tmp")


def _folder_prefix() -> str:
    # The same user, on the same machine, with the same /tmp: only then does a missing socket prove anything.
    found = Path("/tmp").stat()  # noqa: S108
    where = f"{socket.gethostname()} {os.geteuid()} {found.st_dev} {found.st_ino}"
    return f"ecommerce-{hashlib.sha256(where.encode()).hexdigest()[:8]}-"


def _socket_of(run: DagsterRun) -> str | None:
    """The socket of the code server that launched a run, where it is one of ours on this machine."""
    try:
        path = json.loads(run.tags[GRPC_INFO_TAG])["socket"]
        is_ours = Path(path).parent.name.startswith(_folder_prefix())
    except (KeyError, TypeError, ValueError):
        return None
    return path if is_ours else None


def _has_lost_its_worker(run: DagsterRun) -> bool:
    if PROCESS_TAG in run.tags:
        return not _is_alive(run.tags[PROCESS_TAG])
    path = _socket_of(run)
    # Workers end with their code server; see cli/supervisor.py.
    return path is not None and not _listens(path)


def _listens(path: str) -> bool:
    """Whether somebody listens on a socket. Only proof of the contrary counts: no such file, or nobody behind it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def _is_alive(tag: str) -> bool:
    host, pid, created = tag.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < 2
    except psutil.Error:
        return False
