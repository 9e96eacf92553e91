"""A real mail server on loopback that keeps what it takes, in a thread of the test process."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from ecommerce_platform_tests.ports import free_port

USER, PASSWORD = "reports@example.com", "s3cret-of-the-mailbox"


class Mailbox:
    """What a server has taken, and what it is to refuse."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.refused: str | None = None
        self.answer = "250 OK"
        self.port = 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address == self.refused:
            return "550 5.1.1 no such\tuser here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=SMTP)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return self.answer


@contextmanager
def mail_server(
    *, context: ssl.SSLContext | None = None, is_tls: bool = False, with_login: bool = False
) -> Iterator[Mailbox]:
    """Serve on a free port.

    Args:
        context: the certificate; None offers no encryption.
        is_tls: whether the connection is encrypted from its beginning, instead of by STARTTLS.
        with_login: whether a client must log in as USER with PASSWORD.
    """

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        is_right = (given.login.decode(), given.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=is_right, handled=False)

    box = Mailbox()
    box.port = free_port()
    controller = Controller(
        box,
        hostname="localhost",
        port=box.port,
        ssl_context=context if is_tls else None,
        tls_context=None if is_tls else context,
        require_starttls=context is not None and not is_tls,
        auth_required=with_login,
        auth_require_tls=with_login and not is_tls,
        authenticator=authenticate,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
