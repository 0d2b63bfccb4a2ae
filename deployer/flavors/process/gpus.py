"""The GPUs of this machine: which there are, and which are given to nobody."""

import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from deployer.config import GPUS_SEEN
from deployer.errors import DevicesTaken

LISTED_WITHIN_S = 10.0
DRIVER = Path("/proc/driver/nvidia/gpus")
UUID_LINE = "GPU UUID:"


def devices() -> list[str]:
    """The GPUs that this process may use, by UUID, as the driver numbers them."""
    return seen(_by_nvidia_smi() or _by_driver(), os.environ.get(GPUS_SEEN))


def seen(all_there_are: Sequence[str], visible: str | None) -> list[str]:
    """Those that are visible, by their UUIDs wherever these are known: nobody else may know one by another name.

    Args:
        visible: numbers or UUIDs, or what these begin with; None: all of them.
    """
    if visible is None:
        return list(all_there_are)
    named: list[str] = []
    for token in (part.strip() for part in visible.split(",")):
        found = _of(all_there_are, token) if all_there_are else token
        if not found or found == "-1":  # What comes after it is not seen either, as the driver has it.
            break
        named.append(found)
    return list(dict.fromkeys(named))


def chosen(count: int, there: Sequence[str], taken: Mapping[str, str], before: Collection[str], who: str) -> list[str]:
    """So many that nobody has, at best those that it had before.

    Args:
        taken: who has one, by device.

    Raises:
        DevicesTaken: there are not so many.
    """
    free = sorted((device for device in there if device not in taken), key=lambda device: device not in before)
    if len(free) >= count:
        return free[:count]
    have = "; ".join(f"{taken[device]} has {device}" for device in there if device in taken)
    raise DevicesTaken(
        f"{who} asks for {count} GPUs, and {len(free)} of {len(there)} are free{': ' if have else ''}{have}.",
        hint="Stop one that has them; or deploy with `rollout: recreate`, which ends the old revision first.",
    )


def _of(all_there_are: Sequence[str], token: str) -> str:
    if token.isdecimal():
        return all_there_are[int(token)] if int(token) < len(all_there_are) else ""
    return next((device for device in all_there_are if token and device.startswith(token)), "")


def _by_nvidia_smi() -> list[str]:
    """Of lines such as `GPU 0: NVIDIA A100 (UUID: GPU-8932f937-…)`."""
    try:
        told = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=LISTED_WITHIN_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    lines = (line for line in told.splitlines() if line.startswith("GPU ") and "(UUID: " in line)
    return [line.rpartition("(UUID: ")[2].rstrip(") ") for line in lines]


def _by_driver() -> list[str]:
    """One folder a device, by its place on the bus."""
    try:
        texts = [(folder / "information").read_text() for folder in sorted(DRIVER.iterdir())]
    except OSError:
        return []
    lines = (line for text in texts for line in text.splitlines() if line.startswith(UUID_LINE))
    return [line.removeprefix(UUID_LINE).strip() for line in lines]
