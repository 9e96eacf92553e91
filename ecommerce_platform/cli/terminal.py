"""What the commands have in common: the console, tables, progress, errors that a user can fix, days."""

from __future__ import annotations

import datetime as dt
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ecommerce_platform.settings import SettingsError

if TYPE_CHECKING:
    pass

console = Console(stderr=True, highlight=False, emoji=False)


EXIT_FAILED = 1


EXIT_USAGE = 2


EXIT_INTERRUPTED = 130


PIPE_WIDTH = 500
"""Characters of a line that no terminal breaks."""


class Day(click.ParamType):
    """A business day, written YYYY-MM-DD or ``yesterday``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Parse a day; fails with an example."""
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
    """Turn the errors that a user can mend into one message, without a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            console.print("Stopped. Committed data is kept, and nothing is half-written.")
            sys.exit(EXIT_INTERRUPTED)
        except SettingsError as error:
            console.print(f"Wrong setting.\n{error}", style="red", markup=False)
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
            console.print("Committed data is kept, and nothing is half-written. See docs/operations.md.")
            sys.exit(EXIT_FAILED)

    return wrapped


def _outage(error: BaseException | None) -> str | None:
    """What the server said when it went away, was full or refused; None for a fault of another kind."""
    while error is not None:
        module = type(error).__module__.split(".")[0]
        # Both drivers have a class for each SQLSTATE; those of an outage descend from OperationalError.
        ancestry = [ancestor.__name__ for ancestor in type(error).__mro__]
        if module in ("psycopg", "psycopg2") and "OperationalError" in ancestry:
            return " ".join(str(error).split())
        error = getattr(error, "orig", None) or error.__cause__
    return None


class ListByDefault(click.Group):
    """A group whose name alone, or with options only, means its command ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` in front where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def show(table: Table) -> None:
    """Print a table. Whoever reads it through a pipe gets whole names, however long."""
    Console(emoji=False, width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def progress_bar() -> Progress:
    """A bar that says what it is at; where no terminal is, only its end stays."""
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=not console.is_terminal,
    )


def end_when_told() -> None:
    """End on Ctrl-C and SIGTERM, whatever whoever started us has told us to ignore; and on SIGHUP, but for nohup."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: sys.exit())
