"""What is wrong with a connector or with a file that it reads."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ecommerce_platform.files import printable


class ConnectorError(RuntimeError):
    """A connector or an export that cannot be used. The message is one line: where, what is wrong, and what to do."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)

    def __str__(self) -> str:
        where, problem, remedy = self.args
        return printable(" ".join(f"{where}: {problem}; {remedy}".split()))


@contextmanager
def reading(what: object, *known: type[Exception]) -> Generator[None]:
    """Whatever fails inside becomes one message about a file: it is a stranger's, and readers fail in many ways.

    Args:
        what: the file.
        known: exceptions for which the caller has a better message.

    Raises:
        ConnectorError: something failed.
    """
    try:
        yield
    except (ConnectorError, *known):
        raise
    except Exception as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ConnectorError(str(what), f"cannot be read ({shown(said, 300)})", "export it again") from error


def shown(value: object, limit: int = 60) -> str:
    """Untrusted text in a form that is safe for one line of a message."""
    text = str(value)
    return ascii(text if len(text) <= limit else text[:limit] + "…")
