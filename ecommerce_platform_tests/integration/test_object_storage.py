"""Files of an object store keep what files of a folder promise: old or new content, never a part, and never unnoticed
damage. The server is a real one, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from obstore.store import AzureStore, GCSStore

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.files import FeedFileError, feed_file_name, write_feed_file
from ecommerce_platform.feeds.landing import Taken, days_landed_again
from ecommerce_platform.feeds.reader import MAX_FILE_BYTES, check_feed_file, read_feed_file, stream_feed_file
from ecommerce_platform.files import write_atomically
from ecommerce_platform.resources.source import Source
from ecommerce_platform.settings import load_settings
from ecommerce_platform.storage import ObjectPath, StorageError, located, objects, sha256_of
from ecommerce_platform_tests.harness import csv_bytes, customer, day
from ecommerce_platform_tests.object_store import BUCKET, Gate, S3Server

WRITE = """
import sys
from ecommerce_platform.files import write_atomically
from ecommerce_platform.storage import located, objects
objects.PART_BYTES = int(sys.argv[3])
path = located(sys.argv[1]) / "big.bin"
write_atomically(path, b"n" * int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def gate(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The only way to the server, for this process and its children."""
    gate = Gate(server)
    for name, value in gate.environment.items():
        monkeypatch.setenv(name, value)
    objects._client.cache_clear()
    objects._reached.clear()
    yield gate
    gate.shut()
    objects._client.cache_clear()


@pytest.fixture
def folder(gate: Gate, request: pytest.FixtureRequest) -> ObjectPath:
    """A folder of its own for each test."""
    folder = located(f"s3://{BUCKET}/{hashlib.md5(request.node.name.encode()).hexdigest()}")
    assert isinstance(folder, ObjectPath)
    return folder


def test_a_file_is_written_read_replaced_and_known_by_its_checksum(folder: ObjectPath, server: S3Server) -> None:
    file = folder / "raw" / "customers" / "2024-01-01.csv"
    assert not file.exists()
    assert not (folder / "raw").is_dir()
    assert sha256_of(file) is None
    with pytest.raises(FileNotFoundError):
        file.read_bytes()
    for content in (b"first\n", b"", b"second\n"):
        write_atomically(file, content)
        assert file.read_bytes() == content
        assert sha256_of(file) == hashlib.sha256(content).hexdigest()
    assert file.exists()
    assert (folder / "raw").is_dir()
    found = server.client.head_object(Bucket=BUCKET, Key=file.key)
    assert found["Metadata"] == {"sha256": hashlib.sha256(b"second\n").hexdigest()}
    assert server.keys(folder.key) == [file.key]


def test_a_file_that_is_there_already_is_not_written_again(folder: ObjectPath, gate: Gate) -> None:
    file = feed_file_name(folder, "customers", day(1))
    first = write_feed_file(file, b"a\n")
    before = len([line for line in gate.requests if line.startswith("PUT")])
    assert write_feed_file(file, b"a\n") == first
    assert len([line for line in gate.requests if line.startswith("PUT")]) == before == 1


def test_a_feed_file_is_read_as_from_a_folder(folder: ObjectPath, tmp_path: Path) -> None:
    content = csv_bytes(FEEDS["customers"], [customer(number) for number in range(1, 50)])
    files = [feed_file_name(root, "customers", day(1)) for root in (folder, tmp_path)]
    for file in files:
        write_feed_file(file, content)
    described = [check_feed_file(file, "customers", day(1)) for file in files]
    assert described[0].sha256 == described[1].sha256
    assert (described[0].rows, str(described[0].path)) == (49, f"{folder}/customers/2024-01-01.csv")
    tables = [read_feed_file(file, "customers", day(1))[1] for file in files]
    assert tables[0].equals(tables[1])
    windows = [[window.num_rows for window in stream_feed_file(file, "customers", day(1))] for file in files]
    assert windows[0] == windows[1]


def test_a_missing_an_empty_and_a_too_large_file_are_refused_by_name(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = feed_file_name(folder, "customers", day(1))
    with pytest.raises(FeedFileError, match=rf"file {file}: the file is missing"):
        check_feed_file(file, "customers", day(1))
    write_atomically(file, b"")
    with pytest.raises(FeedFileError, match="the file is empty"):
        check_feed_file(file, "customers", day(1))
    write_atomically(file, b"x" * 1001)
    assert MAX_FILE_BYTES > 1000
    monkeypatch.setattr("ecommerce_platform.feeds.reader.MAX_FILE_BYTES", 1000)
    with pytest.raises(FeedFileError, match="the file has 1,001 bytes; the limit for one day is 1,000"):
        check_feed_file(file, "customers", day(1))


def test_a_damaged_object_is_an_error_and_never_data(folder: ObjectPath, server: S3Server) -> None:
    file = folder / "a.csv"
    write_atomically(file, b"right")
    server.put(file.key, b"wrong", {"sha256": hashlib.sha256(b"right").hexdigest()})
    with pytest.raises(StorageError, match=rf"{file} is damaged") as caught:
        file.read_bytes()
    assert not caught.value.is_transient


def test_an_object_of_another_program_is_taken_as_it_is(folder: ObjectPath, server: S3Server) -> None:
    server.put((folder / "a.csv").key, b"by hand")
    assert (folder / "a.csv").read_bytes() == b"by hand"
    assert sha256_of(folder / "a.csv") == hashlib.sha256(b"by hand").hexdigest()


def test_a_file_that_was_changed_by_hand_is_kept_as_in_a_folder(
    folder: ObjectPath, server: S3Server, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"STORAGE_URL": str(folder), "ORDERS_PER_DAY": "5", "CUSTOMERS": "20", "PRODUCTS": "10"}.items():
        monkeypatch.setenv(f"ECOMMERCE_{name}", value)
    load_settings.cache_clear()
    exported = Source().export("customers", day(1))
    assert not exported.is_edited
    edited = csv_bytes(FEEDS["customers"], [customer(7)])
    server.put(f"{folder.key}/raw/customers/2024-01-01.csv", edited)
    again = Source().export("customers", day(1), known=[exported.taken.sha256])
    assert (again.is_edited, again.file.rows, again.taken.sha256) == (True, 1, exported.taken.sha256)
    assert server.content(f"{folder.key}/raw/customers/2024-01-01.csv") == edited
    assert not (data_dir / "raw").exists()


def test_a_landed_file_replaces_the_object_of_its_day_when_it_lands_again(
    folder: ObjectPath, server: S3Server, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"STORAGE_URL": str(folder), "SOURCE": "landing", "LANDING_DIR": str(tmp_path / "landing")}
    for name, value in {**settings, "LANDING_REST_SECONDS": "0"}.items():
        monkeypatch.setenv(f"ECOMMERCE_{name}", value)
    load_settings.cache_clear()
    raw, landing = load_settings().raw, load_settings().landing
    landed = feed_file_name(landing, "customers", day(1))
    write_feed_file(landed, csv_bytes(FEEDS["customers"], [customer(1)]))
    first = Source().export("customers", day(1))
    assert days_landed_again(landing, raw, {}, [("customers", day(1))]) == set()
    write_feed_file(landed, csv_bytes(FEEDS["customers"], [customer(1), customer(2)]))
    assert days_landed_again(landing, raw, {}, [("customers", day(1))]) == {day(1)}
    replaced: list[Taken] = []
    again = Source().export("customers", day(1), [first.taken.sha256], replaced.append)
    assert (again.is_edited, again.file.rows, replaced) == (False, 2, [again.taken])
    assert server.content(f"{folder.key}/raw/customers/2024-01-01.csv") == landed.read_bytes()
    # A feed that need not land: no rows, and what was there before stays.
    assert Source().export("returns", day(1)).file.rows == 0
    header = server.content(f"{folder.key}/raw/returns/2024-01-01.csv")
    assert Source().export("returns", day(1)).file.sha256 == hashlib.sha256(header).hexdigest()


def test_readers_see_one_of_two_files_while_two_writers_replace_it(folder: ObjectPath) -> None:
    file, contents = folder / "a.csv", [b"a" * 200_000, b"b" * 200_000]
    write_atomically(file, contents[0])
    done = threading.Event()

    def write(content: bytes) -> None:
        for _ in range(20):
            write_atomically(file, content)

    def read() -> int:
        reads = 0
        while not done.is_set():
            assert file.read_bytes() in contents
            reads += 1
        return reads

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for writer in [pool.submit(write, content) for content in contents]:
            writer.result()
        done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert file.read_bytes() in contents


@pytest.mark.parametrize("part_bytes", [64_000_000, 5_242_880], ids=["one request", "in parts"])
@pytest.mark.parametrize("before", [None, b"old"], ids=["a new file", "a file that is replaced"])
def test_a_writer_killed_in_an_upload_leaves_the_old_file_or_none(
    folder: ObjectPath, gate: Gate, server: S3Server, before: bytes | None, part_bytes: int
) -> None:
    file = folder / "big.bin"
    if before is not None:
        write_atomically(file, before)
    gate.hold("PUT", file.key)
    command = [sys.executable, "-c", WRITE, str(folder), "12000000", str(part_bytes)]
    process = subprocess.Popen(command, env=os.environ)
    assert gate.held.wait(60)
    assert process.poll() is None
    process.kill()
    process.wait()
    gate.cut()
    assert server.keys(folder.key) == ([] if before is None else [file.key])
    assert before is None or file.read_bytes() == before
    assert subprocess.run(command, env=os.environ).returncode == 0
    assert file.read_bytes() == b"n" * 12_000_000


def test_an_answer_that_is_cut_off_is_never_taken_for_the_file(folder: ObjectPath, gate: Gate) -> None:
    file = folder / "a.csv"
    write_atomically(file, b"n" * 300_000)
    gate.hold("GET", file.key)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(file.read_bytes)
        assert gate.held.wait(30)
        gate.shut()
        with pytest.raises(StorageError, match=rf"{file} cannot be read") as caught:
            reading.result(60)
    assert caught.value.is_transient
    gate.open()
    assert file.read_bytes() == b"n" * 300_000


@pytest.mark.parametrize("name", ["exists", "read_bytes", "is_dir", "sha256"])
def test_a_server_that_is_down_is_an_error_that_names_the_object(folder: ObjectPath, gate: Gate, name: str) -> None:
    file = folder / "a.csv"
    write_atomically(file, b"x")
    gate.shut()
    with pytest.raises(StorageError, match=rf"^{file} cannot be ") as caught:
        getattr(file, name)()
    assert caught.value.is_transient
    with pytest.raises(StorageError, match=rf"^{file} cannot be written") as caught:
        write_atomically(file, b"y")
    gate.open()
    assert file.read_bytes() == b"x"


def test_a_missing_bucket_is_never_taken_for_missing_files(gate: Gate) -> None:
    """A day whose file is missing is not compared by ``verify``, so this would have passed as green."""
    file = located("s3://no-such-bucket/shop") / "raw"
    for use in (file.exists, file.read_bytes, file.is_dir, lambda: write_atomically(file, b"x")):
        with pytest.raises(StorageError, match=r"NoSuchBucket; see ECOMMERCE_STORAGE_URL") as caught:
            use()
        assert not caught.value.is_transient
    # Nor is one that is deleted under a process that has seen it.
    objects._reached.add("s3://no-such-bucket")
    for use in (file.exists, file.sha256, file.read_bytes, lambda: write_atomically(file, b"x")):
        with pytest.raises(StorageError, match=r"NoSuchBucket; see ECOMMERCE_STORAGE_URL"):
            use()


class Gone(BaseHTTPRequestHandler):
    """Answers as Azure does if the container has gone, and as Google does if the bucket has."""

    def answer(self) -> None:
        is_azure = "x-ms-version" in self.headers
        code = "ContainerNotFound" if is_azure else "NoSuchBucket"
        text = "The specified container does not exist." if is_azure else "The specified bucket does not exist."
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
        self.send_response(404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_HEAD = do_PUT = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gone() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["az", "gs"])
def test_a_container_that_is_lost_under_a_process_is_never_taken_for_missing_files(
    gone: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    options: Any = {"allow_http": True}
    account = {"gcs_base_url": gone, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    store = (
        AzureStore("box", account_name="a", account_key="a2V5", endpoint=gone, client_options=options)
        if scheme == "az"
        else GCSStore("box", service_account_key=json.dumps(account), client_options=options)
    )
    monkeypatch.setattr(objects, "_client", lambda root: store)
    monkeypatch.setattr(objects, "_reached", {f"{scheme}://box"})
    file = ObjectPath(f"{scheme}://box", "shop/raw/a.csv")
    for use in (file.exists, file.sha256, file.read_bytes, file.is_dir, lambda: write_atomically(file, b"x")):
        with pytest.raises(StorageError, match=rf"^{file} cannot be .*see ECOMMERCE_STORAGE_URL") as caught:
            use()
        assert not caught.value.is_transient
