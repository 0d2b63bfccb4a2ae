"""The least that whoever tells of servers has to do: read what says how they are, and decode it; no more."""

import fcntl
import json
import os
from pathlib import Path

from deployer.flavors.memory.platform import MemoryPlatform
from deployer.processes import files
from deployer.records.record import Record

MARKS = (files.WANTED, files.ADDRESS, files.PID, files.ENDED)


def read_memory(platform: MemoryPlatform) -> list[object]:
    """Each workload's record, mark, phase and route."""
    routes = platform.routes.by_server
    return [
        (Record.model_validate_json(stored.record), stored.wanted, stored.cause, stored.phase(), routes[stored.server])
        for stored in platform.workloads.values()
    ]


def read_folders(state_dir: Path) -> list[object]:
    """Each workload's record, marks, lock and route."""
    root, routes = f"{state_dir}/workloads/", f"{state_dir}/gateway/routes/"
    return [_read_folder(f"{root}{name}/", routes) for name in os.listdir(root)]


def _read_folder(folder: str, routes: str) -> object:
    record = Record.model_validate_json(_content(folder + "record"))
    marks = [json.loads(_content(folder + mark)) for mark in MARKS]
    route = json.loads(_content(f"{routes}{record.server}.yml").partition(b"\n")[0].removeprefix(b"# "))
    return record, marks, _is_free(folder + files.LOCK), route


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _is_free(lock: str) -> bool:
    with open(lock, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
