"""Supervises the processes behind ``up``: starts, restarts and stops them together.

Each runs in its own session, so that Ctrl-C in the terminal reaches only the supervisor, which stops them in order. One
more process, the keeper, only waits for the supervisor's end: if the supervisor is killed, the keeper ends the
processes, and holds the lock of the data folder until that is done.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

GRACE_SECONDS = 5
"""Seconds for a process to end after SIGTERM; then it and its descendants are killed."""

LOOK_SECONDS = 0.2
WATCH_SECONDS = 3
"""Seconds between calls of the watches, and between the background checks behind them."""

PAUSES = (1, 2, 4, 8, 16, 30)
"""Seconds before a process is restarted: the first time, the second time, and so on."""

MOST_ENDS = 5
WITHIN_SECONDS = 180
"""A process that ends more than ``MOST_ENDS`` times within this many seconds is not restarted."""

Say = Callable[[str], None]

KEEPER = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    word = line.strip()
    if word == "done":
        sys.exit()
    if word[0] == "-":
        groups.discard(int(word[1:]))
    else:
        groups.add(int(word))
def told(number):
    left = set()
    for group in groups:
        try:
            os.killpg(group, number)
            left.add(group)
        except OSError:
            pass
    return left
groups = told(signal.SIGTERM)
deadline = time.monotonic() + float(sys.argv[1])
while groups and time.monotonic() < deadline:
    time.sleep(0.1)
    groups = told(0)
told(signal.SIGKILL)
"""


class SupervisorError(RuntimeError):
    """Another `up` is already serving this data folder, or one of the processes keeps ending."""


@dataclass
class Child:
    """One process.

    Attributes:
        name: its name in messages.
        command: the command to run.
        is_needed: whether other processes depend on it, so that it is stopped after them.
        can_start: whether the process that it depends on is ready; until then, it is not started.
    """

    name: str
    command: Sequence[str]
    is_needed: bool = False
    can_start: Callable[[], bool] = lambda: True
    process: subprocess.Popen[bytes] | None = None
    ends: deque[float] = field(default_factory=deque)
    next_start: float = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether it was started and is no longer running."""
        return self.process is not None and self.process.poll() is not None


class FolderLock:
    """The lock of a served data folder, held by the supervisor, and by the keeper until the last process is gone."""

    def __init__(self, path: Path):
        self._path = path
        self._file = path.open("a+", encoding="utf-8")

    def take(self, about: Mapping[str, object], patience: float = 2 * GRACE_SECONDS) -> None:
        """Take the lock, and record the holder.

        Raises:
            SupervisorError: another process holds the lock.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                holder = self._holder()
                # If the holder was killed, its keeper is still ending the processes: wait.
                if _is_alive(holder.get("process")) or time.monotonic() > deadline:
                    said = ", ".join(f"{name} {value}" for name, value in holder.items()) or "unknown"
                    raise SupervisorError(
                        f"Another `up` is already serving {self._path.parent} ({said}). Stop it first, or set"
                        " ECOMMERCE_DATA_DIR to another data folder."
                    ) from None
                time.sleep(LOOK_SECONDS)
        self._file.truncate(0)
        self._file.write(json.dumps({"process": os.getpid(), **about}))
        self._file.flush()

    def fileno(self) -> int:
        """The descriptor of the open file, for a child that also holds the lock."""
        return self._file.fileno()

    def give_back(self) -> None:
        """Release the lock."""
        self._file.truncate(0)
        self._file.close()

    def _holder(self) -> dict[str, object]:
        with suppress(OSError, ValueError):
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        return {}


def _is_alive(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


class Supervisor:
    """Runs the children until it is stopped.

    Args:
        children: the processes.
        lock: the lock of the data folder, already taken.
        cwd: the working directory of the processes.
        environment: their environment variables.
        say: prints one line for the user.
        watches: called every few seconds; each may return the name of a child that does not respond, to restart it.
    """

    def __init__(
        self,
        children: Sequence[Child],
        lock: FolderLock,
        cwd: Path,
        environment: Mapping[str, str],
        say: Say,
        watches: Sequence[Callable[[], str | None]] = (),
    ):
        self._children = children
        self._lock = lock
        self._cwd = cwd
        self._environment = environment
        self._say = say
        self._watches = watches
        self._asked_to_stop = 0
        self._keeper = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", KEEPER, str(GRACE_SECONDS)],
            stdin=subprocess.PIPE,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )

    def stop(self, *_: object) -> None:
        """Begin to stop; a second call skips the grace period. Safe in a signal handler: it takes no lock."""
        self._asked_to_stop += 1

    def run(self) -> None:
        """Start the children, and return once they have ended because :meth:`stop` was called.

        Raises:
            SupervisorError: one of them keeps ending; all have been stopped.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # respect nohup
            signal.signal(signal.SIGHUP, self.stop)
        looked_at = time.monotonic()
        try:
            while not self._asked_to_stop:
                time.sleep(LOOK_SECONDS)
                for child in self._children:
                    self._look_after(child)
                if time.monotonic() - looked_at > WATCH_SECONDS:
                    looked_at = time.monotonic()
                    for watch in self._watches:
                        self._replace(watch())
        finally:
            self._end_all()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.has_ended:
            assert child.process is not None
            # Kill its orphaned descendants, such as a Dagster run.
            _signal_group(child.process.pid, signal.SIGKILL)
            child.ends.append(now)
            while child.ends[0] < now - WITHIN_SECONDS:
                child.ends.popleft()
            self._tell_keeper(f"-{child.process.pid}")
            how = _how_it_ended(child.process.returncode)
            child.process = None
            if len(child.ends) > MOST_ENDS:
                raise SupervisorError(
                    f"{child.name} keeps exiting ({how}, {len(child.ends)} times in {WITHIN_SECONDS // 60} minutes)."
                    " Everything was stopped. Its output is above. Start again with: ecommerce-platform up"
                )
            pause = PAUSES[min(len(child.ends), len(PAUSES)) - 1]
            child.next_start = now + pause
            self._say(f"{child.name} exited ({how}). Restarting it in {pause} s.")
        if child.process is None and now >= child.next_start and child.can_start():
            child.process = subprocess.Popen(  # noqa: S603
                child.command,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # The parent may have made this process ignore SIGINT, but Dagster relies on it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            self._tell_keeper(str(child.process.pid))

    def _replace(self, name: str | None) -> None:
        """Kill a child that does not respond; it is then restarted like one that has ended."""
        for child in self._children:
            if child.name == name and child.process is not None:
                self._say(f"{child.name} does not respond. Restarting it.")
                _signal_group(child.process.pid, signal.SIGKILL)
                child.process.wait()

    def _end_all(self) -> None:
        for is_needed in (False, True):
            running = [
                child.process for child in self._children if child.process is not None and child.is_needed == is_needed
            ]
            for process in running:
                with suppress(ProcessLookupError):
                    process.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
            while any(process.poll() is None for process in running) and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
                if self._asked_to_stop > 1:
                    break
            for process in running:
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
        self._tell_keeper("done")
        self._keeper.wait()
        self._lock.give_back()

    def _tell_keeper(self, word: str) -> None:
        assert self._keeper.stdin is not None
        with suppress(BrokenPipeError):  # the keeper was killed: nothing ends the children if we are killed, too
            self._keeper.stdin.write(f"{word}\n".encode())
            self._keeper.stdin.flush()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"status {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
