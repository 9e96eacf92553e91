"""A message goes to all recipients or to none, over a protected connection, and an error names the server only."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from ecommerce_platform.addresses import mail_addresses
from ecommerce_platform.automation import mail
from ecommerce_platform.automation.mail import POLICY, MailError, send
from ecommerce_platform.settings import Settings
from ecommerce_platform_tests.mailbox import PASSWORD, USER, Mailbox, mail_server
from ecommerce_platform_tests.ports import free_port

ADA, GRACE = mail_addresses("ada@example.com, Grace Hopper <grace@example.com>")


@pytest.fixture(scope="module")
def certificate() -> Iterator[tuple[ssl.SSLContext, str]]:
    """A server's certificate for localhost, and the file of the authority that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with authority.cert_pem.tempfile() as file:
        yield context, file


@pytest.fixture
def trusted(certificate: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The certificate, on a machine that trusts its authority."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate[1])
    return certificate[0]


def settings(port: int, security: str = "none", **more: str) -> Settings:
    given = {"smtp_host": "localhost", "smtp_port": port, "smtp_security": security, **more}
    return Settings(**given)  # type: ignore[arg-type]


LOGIN = {"smtp_user": USER, "smtp_password": PASSWORD}


def message(text: str = "Revenue: €1\n.\nend\n") -> EmailMessage:
    made = EmailMessage(policy=POLICY)
    made["Subject"], made["From"], made["To"] = "Wöche", ADA, (ADA, GRACE)
    made.set_content(text)
    return made


def sent_by(given: Settings, recipients: tuple[Address, ...] = (ADA, GRACE)) -> None:
    send(given, message(), ADA, recipients)


def failure(given: Settings) -> MailError:
    with pytest.raises(MailError) as caught:
        sent_by(given)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def assert_one(box: Mailbox) -> None:
    (got,) = box.messages
    assert (got["Subject"], got.get_content()) == ("Wöche", "Revenue: €1\r\n.\r\nend\r\n")
    assert box.envelopes == [("ada@example.com", ["ada@example.com", "grace@example.com"])]
    assert got.as_bytes().isascii()


def test_a_message_reaches_every_recipient() -> None:
    with mail_server() as box:
        sent_by(settings(box.port))
        assert_one(box)


def test_a_login_is_sent_over_starttls(trusted: ssl.SSLContext) -> None:
    with mail_server(context=trusted, with_login=True) as box:
        sent_by(settings(box.port, "starttls", **LOGIN))
        assert_one(box)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_login_is_sent_over_tls(trusted: ssl.SSLContext) -> None:
    with mail_server(context=trusted, is_tls=True, with_login=True) as box:
        sent_by(settings(box.port, "tls", **LOGIN))
        assert_one(box)


def test_a_server_without_starttls_gets_no_message(trusted: ssl.SSLContext) -> None:
    with mail_server() as box:
        error = failure(settings(box.port, "starttls"))
        assert str(error) == (f"The mail server localhost:{box.port} offers no STARTTLS; see ECOMMERCE_SMTP_SECURITY.")
        assert box.messages == []


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_message(
    certificate: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "none.pem").write_bytes(trustme.CA().cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with mail_server(context=certificate[0]) as box:
        error = failure(settings(box.port, "starttls", **LOGIN))
    assert f"localhost:{box.port} cannot be used: its certificate is not valid" in str(error)


def test_a_wrong_password_is_not_repeated_in_the_error(trusted: ssl.SSLContext) -> None:
    with mail_server(context=trusted, with_login=True) as box:
        given = settings(box.port, "starttls", smtp_user=USER, smtp_password="wrong-one")
        error = failure(given)
    assert str(error).startswith(f"The mail server localhost:{box.port} refused the login: 535 ")
    assert "wrong-one" not in str(error)


def test_a_password_that_no_mail_server_can_be_told_is_not_shown(trusted: ssl.SSLContext) -> None:
    with mail_server(context=trusted, with_login=True) as box:
        error = failure(settings(box.port, "starttls", smtp_user=USER, smtp_password="sécret-word"))
    assert "letters beyond ASCII" in str(error)
    assert not error.may_have_been_sent
    assert "cret-word" not in repr(error.__context__)


def test_one_refused_recipient_means_that_nobody_gets_it() -> None:
    with mail_server() as box:
        box.refused = "grace@example.com"
        error = failure(settings(box.port))
        assert box.messages == []
    assert str(error) == (
        f"The mail server localhost:{box.port} refused the recipient grace@example.com: 550 5.1.1 no such user here"
        " Nothing was sent."
    )
    assert not error.may_have_been_sent


def test_a_message_that_the_server_refuses_can_be_sent_again() -> None:
    with mail_server() as box:
        box.answer = "452 4.3.1 no room"
        error = failure(settings(box.port))
        assert "refused the message: 452 4.3.1 no room" in str(error)
        assert not error.may_have_been_sent
        box.answer = "250 OK"
        sent_by(settings(box.port))
        assert_one(box)


def test_a_server_that_nobody_runs_is_named_by_host_and_port() -> None:
    port = free_port()
    error = failure(settings(port))
    assert f"The mail server localhost:{port} cannot be used: " in str(error)
    assert not error.may_have_been_sent


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT", 0.2)
    with socket.create_server(("localhost", 0)) as silent:
        assert "timed out" in str(failure(settings(silent.getsockname()[1])))


def test_a_connection_that_ends_after_the_message_leaves_open_whether_it_was_sent() -> None:
    """Sending it again could send it twice."""
    with socket.create_server(("localhost", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 hello\r\n")
                for line in lines:
                    if line == b".\r\n":
                        return
                    if line[:4].upper() in (b"EHLO", b"MAIL", b"RCPT"):
                        connection.sendall(b"250 OK\r\n")
                    elif line[:4].upper() == b"DATA":
                        connection.sendall(b"354 go on\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        error = failure(settings(listener.getsockname()[1]))
        thread.join()
    assert error.may_have_been_sent
    assert "may or may not have been sent" in str(error)
