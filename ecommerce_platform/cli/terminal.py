"""Shared by the commands: the console, tables, progress bars, error messages and days."""

from __future__ import annotations

import datetime as dt
import io
import logging
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from ecommerce_platform.settings import SettingsError


class Messages(Console):
    """Messages to a person on stderr, or to the log if ``is_logged``. Results go to stdout either way."""

    is_logged = False

    def print(self, *objects: Any, **options: Any) -> None:
        """Print a message; as a log record, its level follows from the color."""
        if not self.is_logged:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            options["soft_wrap"] = True
            super().print(*objects, **options)
        style = str(options.get("style") or "")
        level = logging.ERROR if "red" in style else logging.WARNING if "yellow" in style else logging.INFO
        text = Text.from_ansi(captured.get()).plain.strip()
        if text:
            logging.getLogger("ecommerce_platform").log(level, text)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A message with a spinner; nothing if messages are logged, because each repainting would be a record."""
        if not self.is_logged:
            return super().status(status, **options)
        return Status(status, console=Console(file=io.StringIO()), **options)


console = Messages(stderr=True, highlight=False, emoji=False)


EXIT_FAILED = 1


EXIT_USAGE = 2


EXIT_INTERRUPTED = 130


PIPE_WIDTH = 500
"""The line width for output that does not go to a terminal."""


class Day(click.ParamType):
    """A business day, written YYYY-MM-DD or ``yesterday``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Parse a day; the error message has an example."""
        if isinstance(value, dt.date):
            return value
        if value == "yesterday":
            return yesterday()
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day; for example 2024-01-31, or yesterday", param, ctx)


def yesterday() -> dt.date:
    """The last finished business day (UTC)."""
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def one_clear_error(command: Callable) -> Callable:
    """Print errors that a user can fix as one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            console.print("Stopped. Committed data is safe, and nothing is half-written.")
            sys.exit(EXIT_INTERRUPTED)
        except SettingsError as error:
            console.print(f"Invalid setting.\n{error}", style="red", markup=False)
            sys.exit(EXIT_USAGE)
        except Exception as error:
            ours = type(error).__module__.startswith(("ecommerce_platform.", "dashboards."))
            if isinstance(error, RuntimeError) and ours:
                console.print(str(error), style="red", markup=False)
                sys.exit(EXIT_FAILED)
            said = _outage(error)
            if said is None:
                raise
            console.print(f"PostgreSQL failed: {said}", style="red", markup=False)
            console.print("Committed data is safe, and nothing is half-written. See docs/operations.md.")
            sys.exit(EXIT_FAILED)

    return wrapped


def _outage(error: BaseException | None) -> str | None:
    """The server's message if it disappeared, was full or refused a connection; None for any other error."""
    while error is not None:
        module = type(error).__module__.split(".")[0]
        # Both drivers have a class for each SQLSTATE; those of an outage derive from OperationalError.
        ancestry = [ancestor.__name__ for ancestor in type(error).__mro__]
        if module in ("psycopg", "psycopg2") and "OperationalError" in ancestry:
            return " ".join(str(error).split())
        error = getattr(error, "orig", None) or error.__cause__
    return None


class ListByDefault(click.Group):
    """A group that runs its command ``list`` if no command is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Prepend ``list`` if no command is given."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def show(table: Table) -> None:
    """Print a table; through a pipe, names are never truncated."""
    Console(emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def progress_bar() -> Progress:
    """A progress bar with a description; it prints nothing if messages are logged or do not go to a terminal."""
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=not console.is_terminal,
        disable=console.is_logged,
    )


def end_when_told() -> None:
    """Exit on Ctrl-C and SIGTERM, even if the parent ignores them, and on SIGHUP, except under nohup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit())
