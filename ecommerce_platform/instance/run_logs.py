"""The console log of a run as JSON. Dagster's own JSON logger writes whole events, and no tracebacks."""

from __future__ import annotations

import logging
from typing import Any

from dagster import DagsterInstance, Field, InitLoggerContext, logger
from dagster._core.execution import context_creation_job

from ecommerce_platform.logs import json_formatter


@logger(
    {"log_level": Field(str, default_value="INFO"), "name": Field(str, default_value="dagster")},
    description="One JSON object per line.",
)
def json_console(context: InitLoggerContext) -> logging.Logger:
    """Write to stderr what a run logs."""
    log = logging.Logger(context.logger_config["name"], context.logger_config["log_level"].upper())
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter())
    log.addHandler(handler)
    return log


def log_runs_as_json() -> None:
    """Let the runs of this process log as JSON, unless their configuration names a logger.

    A logger of the definitions counts only in runs that configure it, so the function that chooses the default is
    replaced. Dagster is pinned, and a test reads what a run logs.
    """

    def default(instance: DagsterInstance | None) -> list[tuple[Any, dict[str, object]]]:
        level = (instance.python_log_level if instance else None) or "DEBUG"
        return [(json_console, {"name": "dagster", "log_level": level})]

    context_creation_job.default_system_loggers = default  # ty: ignore[invalid-assignment]
