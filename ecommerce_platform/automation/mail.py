"""Sends a message through the mail server of the settings: to all of its recipients, or to none."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from ecommerce_platform.files import printable
from ecommerce_platform.settings import Settings

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The port of each kind of connection, where the settings name none (RFC 6409, RFC 8314, RFC 5321)."""

POLICY = SMTP.clone(cte_type="7bit")
"""Every server takes such a message, whatever letters it contains."""

TIMEOUT = 30.0
"""Seconds to wait for each answer of the server."""

ACCEPTED = (250, 251)
"""What a server answers to a recipient that it takes (RFC 5321, section 4.2.3)."""


class MailError(RuntimeError):
    """A message was not sent. The text names the server's host and port, never the password.

    Attributes:
        may_have_been_sent: whether the connection was lost after the whole message, before the server's answer.
    """

    def __init__(self, text: str, *, may_have_been_sent: bool = False):
        super().__init__(text)
        self.may_have_been_sent = may_have_been_sent


def send(settings: Settings, message: EmailMessage, sender: Address, recipients: Sequence[Address]) -> None:
    """Send a message. It is handed over only once the server has accepted every recipient.

    Args:
        settings: name the server, the kind of connection and the login.
        message: with its headers.
        sender: of the envelope.
        recipients: of the envelope; at least one.

    Raises:
        MailError: it was not sent.
    """
    where = f"{settings.smtp_host}:{settings.smtp_port or PORTS[settings.smtp_security]}"
    content = message.as_bytes(policy=POLICY)
    is_handed_over = False
    try:
        with closing(_connect(settings)) as server:
            _require(server.mail(sender.addr_spec), (250,), where, f"the sender {sender.addr_spec}")
            for recipient in recipients:
                _require(server.rcpt(recipient.addr_spec), ACCEPTED, where, f"the recipient {recipient.addr_spec}")
            is_handed_over = True
            _require(server.data(content), (250,), where, "the message")
            # It is sent, whatever the server says to this.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(f"The mail server {where} offers no {_what_is_missing(error)}.") from None
    except smtplib.SMTPResponseException as error:
        what = "the login" if isinstance(error, smtplib.SMTPAuthenticationError) else "the message"
        raise MailError(f"The mail server {where} refused {what}: {_said(error.smtp_code, error.smtp_error)}") from None
    except (OSError, smtplib.SMTPException) as error:
        if is_handed_over:
            raise MailError(
                f"The mail server {where} did not confirm the message, which may or may not have been sent:"
                f" {_reason(error)}",
                may_have_been_sent=True,
            ) from None
        raise MailError(f"The mail server {where} cannot be used: {_reason(error)}") from None


def _connect(settings: Settings) -> smtplib.SMTP:
    host, security = settings.smtp_host or "", settings.smtp_security
    port = settings.smtp_port or PORTS[security]
    server: smtplib.SMTP
    if security == "tls":
        server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    try:
        if security == "starttls":
            server.starttls(context=ssl.create_default_context())
        server.ehlo_or_helo_if_needed()
        if settings.smtp_user is not None:
            _log_in(server, settings.smtp_user, settings.smtp_password or "")
    except BaseException:
        server.close()
        raise
    return server


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    # smtplib would raise an error that contains the password.
    if not (user.isascii() and password.isascii()):
        raise smtplib.SMTPException("ECOMMERCE_SMTP_USER or ECOMMERCE_SMTP_PASSWORD has letters beyond ASCII")
    server.login(user, password)


def _require(answer: tuple[int, bytes], accepted: Sequence[int], where: str, what: str) -> None:
    if answer[0] not in accepted:
        raise MailError(f"The mail server {where} refused {what}: {_said(*answer)} Nothing was sent.")


def _said(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {printable(' '.join(said.split()))[:300]}"


def _what_is_missing(error: smtplib.SMTPNotSupportedError) -> str:
    return "STARTTLS; see ECOMMERCE_SMTP_SECURITY" if "STARTTLS" in str(error) else "login; see ECOMMERCE_SMTP_USER"


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__
