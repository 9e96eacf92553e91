"""The only reader of environment variables, and the owner of all paths.

All variables start with ``ECOMMERCE_``; ``.env.example`` lists them. An invalid value fails at startup, with a message
that names the variable, the problem, and an example.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ecommerce_platform.addresses import (
    as_repository_url,
    as_web_url,
    mail_address,
    mail_addresses,
    postgres_url,
    service_urls,
)
from ecommerce_platform.choices import (
    SHIPPED,
    known_currency,
    known_holidays,
    known_locale,
    known_time_zone,
    shipped_names,
)
from ecommerce_platform.money import DEFAULT
from ecommerce_platform.storage import Location, located
from ecommerce_platform.validators import (
    PREFIX,
    checked,
    file_name,
    host_names,
    iso_day,
    listed,
    or_from_file,
    readable_file,
)

PROJECT_DIR = Path(__file__).resolve().parent.parent
SQL_DIR = PROJECT_DIR / "sql"
CONNECTORS_DIR = SHIPPED

EARLIEST_DAY = dt.date(2000, 1, 1)
"""The first day of ``warehouse.dim_date`` and the earliest possible business day."""

SECRET = ("alert_urls", "alert_webhook_url", "database_url", "repository_url", "smtp_password", "storage_url")
"""Settings whose value may contain a secret: a message never quotes it."""


class SettingsError(ValueError):
    """One or more settings are missing or invalid. The message names each, with an example."""


def _known_day(day: dt.date) -> dt.date:
    if not EARLIEST_DAY <= day < dt.date(2100, 1, 1):
        raise ValueError(f"must be between {EARLIEST_DAY} and 2099-12-31")
    return day


def _source(text: str) -> str:
    """Validate a source: synthetic, landing, the name of a connector that comes with the platform, or its folder."""
    if text in ("synthetic", "landing") or (_connector_dir(text) / "connector.toml").is_file():
        return text
    raise ValueError(
        f"must be synthetic, landing, {', '.join(shipped_names())}, or the path of a folder with a connector.toml"
    )


def _connector_dir(source: str) -> Path:
    return _absolute(Path(source)) if "/" in source else CONNECTORS_DIR / source


def _rates_file(path: Path | None) -> Path | None:
    return None if path is None else readable_file(_absolute(path))


def _folder(path: Path) -> Path:
    """Validate a folder to write to: not a file, no control characters, and no folder that contains other things."""
    if any(ord(character) < 32 or ord(character) == 127 for character in str(path)):
        raise ValueError("must not contain line breaks or other control characters")
    if os.path.expanduser(path).startswith("~"):  # noqa: PTH111
        raise ValueError("names the home folder of an unknown user")
    absolute = _absolute(path)
    if absolute.exists() and not absolute.is_dir():
        raise ValueError("must be a folder, but is a file")
    if PROJECT_DIR.is_relative_to(absolute.resolve()) or _home().is_relative_to(absolute.resolve()):
        raise ValueError("must not be or contain the project or your home folder, because `make clean-data` deletes it")
    return path


def _absolute(path: Path) -> Path:
    # os.path instead of pathlib, which raises if there is no home folder and keeps "..".
    return Path(os.path.normpath(PROJECT_DIR / os.path.expanduser(path)))  # noqa: PTH111


def _home() -> Path:
    return Path(os.path.expanduser("~")).resolve()  # noqa: PTH111


class Settings(BaseSettings):
    """The platform's settings, read from the environment once at startup.

    Raises:
        SettingsError: From :func:`load_settings`; names each invalid variable.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Annotated[Path, AfterValidator(_folder)] = Field(Path("data"), examples=["data"])
    storage_url: Annotated[str | None, checked(located)] = Field(None, examples=["s3://bucket/shop"], repr=False)
    database_url_file: Annotated[Path | None, AfterValidator(readable_file)] = Field(
        None, examples=["/run/secrets/database_url"]
    )
    database_url: Annotated[str | None, BeforeValidator(or_from_file), AfterValidator(postgres_url)] = Field(
        None, examples=["postgresql://user:password@host:5432/ecommerce"], repr=False, validate_default=True
    )
    database_password_file: Annotated[Path | None, AfterValidator(readable_file)] = Field(
        None, examples=["/run/secrets/database_password"]
    )
    citus_shards: int | None = Field(None, ge=1, le=1024, examples=["8"])
    source: Annotated[str, AfterValidator(_source)] = Field("synthetic", examples=["shopify"])
    landing_dir: Annotated[Path, AfterValidator(_folder)] = Field(Path("landing"), examples=["landing"])
    time_zone: Annotated[str | None, AfterValidator(known_time_zone)] = Field(None, examples=["America/New_York"])
    currency: Annotated[str, AfterValidator(known_currency)] = Field(DEFAULT, examples=["EUR"])
    locale: Annotated[str, AfterValidator(known_locale)] = Field("en-US", examples=["de-DE"])
    rates: Annotated[Path | None, AfterValidator(_rates_file)] = Field(None, examples=["rates.csv"])
    targets_file: Annotated[Path | None, AfterValidator(file_name)] = Field(None, examples=["targets.csv"])
    notes_file: Annotated[Path | None, AfterValidator(file_name)] = Field(None, examples=["notes.csv"])
    holidays: Annotated[str, AfterValidator(known_holidays)] = Field("", examples=["US-CA"])
    landing_rest_seconds: float = Field(30, ge=0, le=3600, examples=["30"])
    first_day: Annotated[dt.date, NoDecode, BeforeValidator(iso_day), AfterValidator(_known_day)] = Field(
        dt.date(2024, 1, 1), examples=["2024-01-01"]
    )
    orders_per_day: int = Field(300, ge=1, le=100_000, examples=["300"])
    customers: int = Field(10_000, ge=10, le=10_000_000, examples=["10000"])
    products: int = Field(1_000, ge=10, le=1_000_000, examples=["1000"])
    seed: int = Field(42, ge=0, lt=2**63, examples=["42"])
    defect_rate: float = Field(0.01, ge=0, le=0.5, examples=["0.01"])
    catch_up_days: int = Field(14, ge=1, le=366, examples=["14"])
    retention_days: int = Field(90, ge=14, le=36_500, examples=["90"])
    staging_retention_days: int | None = Field(None, ge=14, le=36_500, examples=["365"])
    host: str = Field("127.0.0.1", min_length=1, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+$", examples=["127.0.0.1"])
    allowed_hosts: Annotated[str, AfterValidator(host_names)] = Field("", examples=["shop.example.com,dagster.lan"])
    dagster_port: int = Field(3000, ge=1, le=65535, examples=["3000"])
    dashboard_port: int = Field(8050, ge=1, le=65535, examples=["8050"])
    metrics_port: int | None = Field(None, ge=1, le=65535, examples=["9464"])
    log_format: Literal["colored", "json"] = Field("colored", examples=["json"])
    alert_webhook_url_file: Annotated[Path | None, AfterValidator(readable_file)] = Field(
        None, examples=["/run/secrets/webhook"]
    )
    alert_webhook_url: Annotated[str | None, BeforeValidator(or_from_file), AfterValidator(as_web_url)] = Field(
        None, examples=["https://hooks.example.com/services/T/B/x"], repr=False, validate_default=True
    )
    alert_urls_file: Annotated[Path | None, AfterValidator(readable_file)] = Field(
        None, examples=["/run/secrets/alert_urls"]
    )
    alert_urls: Annotated[str | None, BeforeValidator(or_from_file), checked(service_urls)] = Field(
        None, examples=["mailtos://user:password@example.com"], repr=False, validate_default=True
    )
    smtp_host: str | None = Field(None, max_length=253, pattern=r"^[0-9A-Za-z.:_-]+$", examples=["smtp.example.com"])
    smtp_port: int | None = Field(None, ge=1, le=65535, examples=["587"])
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", examples=["starttls"])
    smtp_user: str | None = Field(None, max_length=320, examples=["reports@example.com"])
    smtp_password_file: Annotated[Path | None, AfterValidator(readable_file)] = Field(
        None, examples=["/run/secrets/smtp_password"]
    )
    smtp_password: Annotated[str | None, BeforeValidator(or_from_file)] = Field(
        None, examples=["secret"], repr=False, validate_default=True
    )
    report_from: Annotated[str | None, checked(mail_address)] = Field(None, examples=["reports@example.com"])
    report_to: Annotated[str | None, checked(mail_addresses)] = Field(
        None, examples=["ada@example.com, Grace Hopper <grace@example.com>"]
    )
    repository_url: Annotated[str | None, AfterValidator(as_repository_url)] = Field(
        None, examples=["https://github.com/example/shop"]
    )
    repository_branch: str = Field(
        "main", min_length=1, max_length=250, pattern=r"^[0-9A-Za-z][0-9A-Za-z._/-]*$", examples=["main"]
    )
    dagster_url: Annotated[str | None, AfterValidator(as_web_url)] = Field(
        None, examples=["https://dagster.example.com"]
    )
    dashboard_url: Annotated[str | None, AfterValidator(as_web_url)] = Field(
        None, examples=["https://dashboards.example.com"]
    )

    @model_validator(mode="after")
    def _put_the_password_into_the_url(self) -> Settings:
        """Add the password to the URL, so that it is sent to this host only; PGPASSWORD would be sent to any host."""
        if self.database_password_file is None:
            return self
        if self.database_url is None:
            raise ValueError("ECOMMERCE_DATABASE_PASSWORD_FILE is set, but ECOMMERCE_DATABASE_URL is not")
        password = quote(self.database_password_file.read_text(encoding="utf-8").strip(), safe="")
        parts = urlsplit(self.database_url)
        if parts.username is None or parts.password is not None:
            raise ValueError(
                "ECOMMERCE_DATABASE_PASSWORD_FILE requires an ECOMMERCE_DATABASE_URL with a user and without a password"
            )
        location = f"{parts.netloc.rsplit('@', 1)[0]}:{password}@{parts.netloc.rsplit('@', 1)[1]}"
        # The model is frozen; only this validator may change it.
        object.__setattr__(self, "database_url", urlunsplit(parts._replace(netloc=location)))
        return self

    @model_validator(mode="after")
    def _can_send_the_report(self) -> Settings:
        """A recipient needs a sender and a server, and a password a protected connection."""
        if self.report_to is not None:
            for name in ("report_from", "smtp_host"):
                if getattr(self, name) is None:
                    raise ValueError(f"{PREFIX}REPORT_TO is set, but {PREFIX}{name.upper()} is not")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError(f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD must be set together")
        if self.smtp_user and self.smtp_security == "none" and self.smtp_host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                f"{PREFIX}SMTP_SECURITY=none would send {PREFIX}SMTP_PASSWORD in clear text; use starttls or tls"
            )
        return self

    @property
    def data(self) -> Path:
        """Absolute path of the folder for everything that the platform writes; relative values start at the project."""
        return _absolute(self.data_dir)

    @property
    def landing(self) -> Path:
        """Absolute path of the folder for a user's own exports."""
        return _absolute(self.landing_dir)

    @property
    def connector_dir(self) -> Path | None:
        """Absolute path of the connector's folder; None for the synthetic shop and for files that need no connector."""
        return None if self.source in ("synthetic", "landing") else _connector_dir(self.source)

    @property
    def feed_files(self) -> Path:
        """Folder of the ``FEED/YYYY-MM-DD.csv`` to load: landed, or converted by a connector from what has landed."""
        return self.landing if self.connector_dir is None else self.converted

    @property
    def storage(self) -> Location:
        """Folder of the files that every machine needs: the data folder, unless ECOMMERCE_STORAGE_URL names another."""
        return located(self.storage_url) if self.storage_url else self.data

    @property
    def raw(self) -> Location:
        """Folder of the raw files: ``raw/FEED/YYYY-MM-DD.csv``."""
        return self.storage / "raw"

    @property
    def extracts(self) -> Location:
        """Folder of the analytics extracts: ``analytics/NAME.csv``."""
        return self.storage / "analytics"

    @property
    def reports(self) -> Location:
        """Folder of the monitoring reports: ``monitoring/NAME.json``."""
        return self.storage / "monitoring"

    @property
    def converted(self) -> Path:
        """Folder of what a connector made of exports: ``converted/FEED/YYYY-MM-DD.csv``."""
        return self.data / "converted"

    @property
    def first_day_file(self) -> Path:
        """File in which ``up --days`` stores the first day of this data folder; ECOMMERCE_FIRST_DAY overrides it."""
        return self.data / "first_day"

    @property
    def currency_file(self) -> Path:
        """File in which the first conversion of exports stores their currency; ECOMMERCE_CURRENCY overrides it."""
        return self.data / "currency"

    @property
    def sent_summaries(self) -> Path:
        """Folder of the records of which weekly summaries were sent: ``sent_summaries/YYYY-Www.json``."""
        return self.data / "sent_summaries"

    @property
    def targets(self) -> Path:
        """Absolute path of the dashboards' targets per month, which may not exist."""
        return _absolute(self.targets_file) if self.targets_file else self.data / "targets.csv"

    @property
    def notes(self) -> Path:
        """Absolute path of the dashboards' notes on days, which may not exist."""
        return _absolute(self.notes_file) if self.notes_file else self.data / "notes.csv"

    @property
    def ui_url(self) -> str:
        """URL of Dagster's UI for links, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.dagster_url or f"http://{host}:{self.dagster_port}").rstrip("/")

    @property
    def known_hosts(self) -> frozenset[str]:
        """Host names that requests to the web servers may use, in lower case and without ports."""
        own = [self.host, urlsplit(self.dagster_url or "").hostname or ""]
        return frozenset(name.lower() for name in [*listed(self.allowed_hosts), *own] if name)

    @property
    def dagster_home(self) -> Path:
        """Folder for Dagster's own files on this machine."""
        return self.data / "dagster"

    @property
    def compute_logs(self) -> Location:
        """Folder of the output of steps: ``dagster/storage/RUN/compute_logs/STEP.out``."""
        return self.storage / "dagster" / "storage"


def is_openlineage_configured() -> bool:
    """Whether the standard settings of OpenLineage name a receiver: its variables, or a file ``openlineage.yml``."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if os.environ.get("OPENLINEAGE_URL") or os.environ.get("OPENLINEAGE__TRANSPORT__TYPE"):
        return True
    files = [Path("openlineage.yml"), _home() / ".openlineage" / "openlineage.yml"]
    if os.environ.get("OPENLINEAGE_CONFIG"):
        files.append(Path(os.environ["OPENLINEAGE_CONFIG"]))
    return any(file.is_file() for file in files)


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Read the settings from the environment, once per process.

    Raises:
        SettingsError: One line per invalid variable: its name, the problem, and an example.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault) for fault in error.errors())) from None
    noted: dict[str, object] = {}
    if "first_day" not in settings.model_fields_set and settings.first_day_file.exists():
        noted["first_day"] = _noted(
            settings.first_day_file,
            lambda text: _known_day(dt.date.fromisoformat(text)),
            "a valid day",
            f"write the first business day to it or set {PREFIX}FIRST_DAY; for example 2024-01-01",
        )
    if "currency" not in settings.model_fields_set and settings.connector_dir and settings.currency_file.exists():
        noted["currency"] = _noted(
            settings.currency_file,
            known_currency,
            "a currency",
            f"write the reporting currency to it or set {PREFIX}CURRENCY; for example EUR",
        )
    return settings.model_copy(update=noted) if noted else settings


def _noted(file: Path, parse: Callable[[str], object], wanted: str, remedy: str) -> object:
    """What an earlier command has noted in a file of the data folder."""
    try:
        return parse(file.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: does not contain {wanted} ({error}); {remedy}") from None


def _explain(fault: object) -> str:
    assert isinstance(fault, dict)
    if not fault["loc"]:  # concerns two settings
        return str(fault["msg"]).removeprefix("Value error, ")
    name = str(fault["loc"][0])
    example = (Settings.model_fields[name].examples or [""])[0]
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = "" if name in SECRET else f"{str(fault['input'])[:80]!r}: "
    return f"{PREFIX}{name.upper()}: {given}{message}; for example {PREFIX}{name.upper()}={example}"
