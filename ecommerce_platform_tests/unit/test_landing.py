"""A landed file is loaded only when it is complete."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from ecommerce_platform.feeds.files import FeedFileError
from ecommerce_platform.feeds.landing import wait_until_whole

DAY = dt.date(2024, 1, 1)
REST = 30.0


class Clock:
    """A clock that advances only on wait; the exporter can write during each wait."""

    def __init__(self, path: Path, begin: float):
        self.path = path
        self.now = begin
        self.waits = 0
        self.writes_at: dict[int, bytes] = {}

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        self.now += seconds
        if self.waits in self.writes_at:
            write(self.path, self.path.read_bytes() + self.writes_at[self.waits])


def write(path: Path, content: bytes) -> None:
    """Write as an exporter does: the times of the content and of the directory entry change together."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    path = tmp_path / "customers" / "2024-01-01.csv"
    path.parent.mkdir()
    write(path, b"customer_id\n1\n")
    return path


def wait(path: Path, clock: Clock, rest: float = REST) -> None:
    wait_until_whole(path, "customers", DAY, rest, now=lambda: clock.now, sleep=clock.sleep)


def test_a_file_that_was_just_written_counts_after_its_rest(landed: Path) -> None:
    clock = Clock(landed, landed.stat().st_mtime)
    wait(landed, clock)
    assert clock.now - landed.stat().st_mtime == pytest.approx(REST, abs=1)


def test_a_file_that_has_rested_counts_at_once(landed: Path) -> None:
    clock = Clock(landed, landed.stat().st_mtime + REST + 1)
    wait(landed, clock)
    assert clock.waits == 0


@pytest.mark.parametrize("ahead", [1, 3600])
def test_a_clock_of_the_file_that_goes_ahead_costs_one_rest_at_most(landed: Path, ahead: float) -> None:
    clock = Clock(landed, landed.stat().st_mtime - ahead)
    begin = clock.now
    wait(landed, clock)
    assert clock.now - begin <= REST


def test_a_file_that_still_grows_is_refused_and_says_how_to_do_better(landed: Path) -> None:
    clock = Clock(landed, landed.stat().st_mtime)
    clock.writes_at = {7: b"2\n"}
    with pytest.raises(FeedFileError) as caught:
        wait(landed, clock)
    said = str(caught.value)
    assert "is still being written: it grew from 14 to 16 bytes" in said
    assert "2024-01-01.csv.done" in said
    assert clock.waits == 7


def test_a_file_that_was_renamed_into_place_counts_at_once(landed: Path) -> None:
    elsewhere = landed.with_name(".2024-01-01.part")
    write(elsewhere, b"customer_id\n2\n")
    status = elsewhere.stat()
    while True:  # the file system's clock may tick only a few hundred times per second
        elsewhere.rename(landed)
        if landed.stat().st_ctime_ns > status.st_mtime_ns:
            break
        landed.rename(elsewhere)
    clock = Clock(landed, landed.stat().st_mtime)
    wait(landed, clock)
    assert clock.waits == 0


@pytest.mark.parametrize("marker", ["2024-01-01.csv.done", "2024-01-01.done"])
def test_a_marker_says_that_the_file_is_whole_unless_it_is_older(landed: Path, marker: str) -> None:
    done = landed.with_name(marker)
    done.touch()
    clock = Clock(landed, landed.stat().st_mtime)
    wait(landed, clock)
    assert clock.waits == 0
    os.utime(done, (1, 1))
    wait(landed, clock)
    assert clock.waits > 0


def test_a_file_that_is_not_there_is_left_to_its_reader(tmp_path: Path) -> None:
    clock = Clock(tmp_path, 0.0)
    wait(tmp_path / "customers" / "2024-01-01.csv", clock)
    assert clock.waits == 0


def test_without_a_rest_nothing_is_waited_for(landed: Path) -> None:
    clock = Clock(landed, landed.stat().st_mtime)
    wait(landed, clock, rest=0.0)
    assert clock.waits == 0
