"""The state directory: where it is, and whether it will do."""

import contextlib
import errno
import os
import tempfile
import time
from pathlib import Path

import platformdirs
import psutil

from deployer.errors import EngineUnavailable, StateDirectoryUnusable
from deployer.processes import locks
from deployer.processes.passing import AGAIN, passes

NETWORK_FILE_SYSTEMS = frozenset({"afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre"})
NETWORK_FILE_SYSTEM_PREFIXES = ("nfs", "smb", "webdav")
FUSE_NETWORK_FILE_SYSTEMS = frozenset({"ceph", "davfs", "gcsfuse", "glusterfs", "rclone", "s3fs", "sshfs"})
TRIAL, TRIAL_TAKES_S = ".locks-", 60.0
HINT = "Name a folder of your own on a local disk: the setting state_dir, or MODEL_DEPLOYER_STATE_DIR."


def default_state_directory() -> Path:
    """The user's own, as the platform has it."""
    return Path(platformdirs.user_state_dir("prefect-model-deployer"))


def place_of(path: Path | None = None) -> Path:
    """That folder, absolute; the default one without a path. It need not be there."""
    return Path(os.path.abspath((path or default_state_directory()).expanduser()))


def usable_state_directory(path: Path | None = None) -> Path:
    """The same, made if need be.

    Raises:
        StateDirectoryUnusable: it cannot be written, or locks do not hold there.
        EngineUnavailable: that cannot be told just now.
    """
    directory = path or default_state_directory()
    try:
        directory = place_of(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned_trials(directory)
        locks_hold = _locks_hold(directory)
    except OSError as error:
        if passes(error):
            raise EngineUnavailable(f"The state directory {directory}: {error.strerror}.", hint=AGAIN) from None
        raise _unusable(directory, error.strerror or str(error)) from None
    except (RuntimeError, ValueError) as error:  # A home that nobody has, or no path at all.
        raise _unusable(directory, str(error)) from None
    if is_on_network(kind := file_system(directory)):
        raise _unusable(directory, f"it is on a network file system ({kind}), where locks are not to be trusted")
    if not locks_hold:
        raise _unusable(directory, "locks do not hold on its file system")
    return directory


def file_system(path: Path) -> str:
    """The type of the file system that holds a path, empty where it cannot be told."""
    mounts = {partition.mountpoint: partition.fstype for partition in psutil.disk_partitions(all=True)}
    path = path.resolve()
    return next((mounts[str(above)] for above in (path, *path.parents) if str(above) in mounts), "").lower()


def is_on_network(kind: str) -> bool:
    """Whether machines share a file system of that type. Shares between one host and its guests are tried instead."""
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.") in FUSE_NETWORK_FILE_SYSTEMS
    return kind in NETWORK_FILE_SYSTEMS or kind.startswith(NETWORK_FILE_SYSTEM_PREFIXES)


def _locks_hold(directory: Path) -> bool:
    """Try it: of two who want a lock, only one may get it. A full disk has no room to try, and can still be read."""
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=TRIAL) as first, open(first.name, "rb") as second:
            return _exclude_each_other(first.fileno(), second.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        raise


def _remove_abandoned_trials(directory: Path) -> None:
    """Those of deployers that were killed while they tried."""
    for trial in directory.glob(f"{TRIAL}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - trial.stat().st_mtime > TRIAL_TAKES_S:
                trial.unlink()


def _exclude_each_other(first: int, second: int) -> bool:
    try:
        return locks.exclusive(first) and not locks.shared(second)
    except OSError as error:
        if passes(error):
            raise
        return False


def _unusable(directory: Path, reason: str) -> StateDirectoryUnusable:
    return StateDirectoryUnusable(f"The state directory {directory} cannot be used: {reason}.", hint=HINT)
