"""Whether Dagster is at work: its code server answers, and its sensors tick.

Dagster's own signs can look well while nothing happens: a code server whose inner process was killed still says that it
serves, and the daemons beat. So this asks the inner process, and looks at the ticks. It runs outside the code server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from dagster import DagsterInstance

from ecommerce_platform.automation.alerts import Book, Incident, Receiver, compare, deliver
from ecommerce_platform.instance.code_server import Answer
from ecommerce_platform.instance.records import last_tick

TICKS_STOP_AFTER = dt.timedelta(minutes=5)
"""The sensor ``alerts`` ticks every minute. Without a tick for so long, nothing does."""

PATIENCE = 3
"""So many times in a row the code server must not answer before it counts as dead."""

TICKS = "ticks"


class CodeServerWatch:
    """Asks the code server again and again, and names it when it does not work, or has stopped answering."""

    def __init__(self, name: str, ask: Callable[[], Answer]):
        self._name = name
        self._ask = ask
        self._missed = 0
        self._has_worked = False

    def __call__(self) -> str | None:
        """The name of the process to start again; None while it works, or begins to."""
        answer = self._ask()
        if answer == Answer.WORKS:
            self._missed, self._has_worked = 0, True
            return None
        if answer == Answer.NOBODY and not self._has_worked:
            return None  # it loads the code; if its process ends, that is seen elsewhere
        self._missed += 1
        if self._missed < PATIENCE:
            return None
        self._missed, self._has_worked = 0, False
        return self._name


class TickWatch:
    """Tells the log and the receivers once when ticks stop, and once when they come again.

    Args:
        instance: whose ticks.
        say: tells a person something in one line.
        receivers: who hears of it.
        ui: address of Dagster's UI, for the link.
        since: from when on ticks are expected.
    """

    def __init__(
        self,
        instance: DagsterInstance,
        say: Callable[[str], None],
        receivers: Sequence[Receiver],
        ui: str,
        since: dt.datetime,
    ):
        self._instance = instance
        self._say = say
        self._receivers = receivers
        self._ui = ui
        self._latest: dt.datetime | None = since
        self._since = since
        self._book = Book({})

    def look(self, now: dt.datetime) -> bool:
        """Look once; whether Dagster's records could be read.

        Where they cannot, as when the database is down, nothing ticks either, and no sensor could tell.
        """
        why = ""
        try:
            self._latest = last_tick(self._instance, self._since)
        except Exception as error:
            why = f" Its records cannot be read: {' '.join(str(error).split())[:300]}"
        failing = []
        if self._latest is not None and now - self._latest > TICKS_STOP_AFTER:
            since = f"{self._latest:%Y-%m-%d %H:%M} UTC"
            text = f"No sensor has ticked since {since}: no day is loaded, and no alert is sent.{why}"
            failing.append(Incident(TICKS, "Dagster has stopped working", text, f"{self._ui}/deployment/daemons"))
        look = compare(self._book, failing, (), now)
        for incident in look.opened:
            self._say(f"{incident.title}. {incident.detail} Check that the daemon is running: {incident.link}")
        for _ in look.closed:
            self._say("Sensors are ticking again.")
        self._book, faults = deliver(look.book, self._receivers)
        for error in faults:
            self._say(f"An alert could not be delivered and will be sent again: {error}")
        return not why
