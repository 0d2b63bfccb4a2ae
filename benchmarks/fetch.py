"""A gigabyte from an S3 server of this machine, by turns with the same by S3's own client."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure, compared_with, median, spread

SIZE, ROUNDS = 1 << 30, 5
BAR, FLAT_MB, AGAIN_S = 1.2, 400.0, 5.0
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "benchbench", "AWS_DEFAULT_REGION": "us-east-1"}
URI = "s3://bucket/model/weights.bin"
OWN_CLIENT = "import sys, s3fs; s3fs.S3FileSystem().get(sys.argv[1], sys.argv[2])"
OURS = (
    "import sys; from pathlib import Path; from deployer.store import Store; Store(Path(sys.argv[2])).add(sys.argv[1])"
)
UP_WITHIN_S = 30.0


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="model-deployer-bench-") as name, s3_server(Path(name)) as env:
        folder = Path(name)
        rounds = [(_once(OWN_CLIENT, folder, env), _once(OURS, folder, env)) for _ in range(ROUNDS + 1)][1:]
        again = [_run(OURS, folder / "kept", env)[0] for _ in range(ROUNDS + 1)][1:]
    client, ours = [c for (c, _), _ in rounds], [o for _, (o, _) in rounds]
    ratios = [o / c for c, o in zip(client, ours, strict=True)]
    memory_mb = max(memory for _, (_, memory) in rounds)
    return [
        compared_with("1 GiB from S3 by its own client (s3fs)", spread(client, "s")),
        compared_with("… and its most memory", f"{max(memory for (_, memory), _ in rounds):.0f} MB"),
        compared_with("1 GiB from S3 into the model store, hashed and flushed", spread(ours, "s")),
        Figure("… in the client's own time", spread(ratios, "times", digits=2), f"at most {BAR} times",
               median(ratios) <= BAR),
        Figure("… the most memory of any process in it", f"{memory_mb:.0f} MB", f"at most {FLAT_MB:.0f} MB",
               memory_mb <= FLAT_MB),
        Figure("… deployed again, nothing fetched", spread(again, "s"), f"at most {AGAIN_S:g} s",
               median(again) <= AGAIN_S),
    ]  # fmt: skip


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """One that has the model, and the environment by which it is found."""
    bucket = folder / "buckets" / "bucket" / "model"
    bucket.mkdir(parents=True)
    with (bucket / "weights.bin").open("wb") as model:
        for _ in range(SIZE >> 20):
            model.write(os.urandom(1 << 20))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    keys = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    rclone = str(Path(sys.executable).with_name("rclone"))
    command = [rclone, "serve", "s3", "--addr", address, "--auth-key", keys, str(folder / "buckets")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(address)
            yield os.environ | KEYS | {"AWS_ENDPOINT_URL": f"http://{address}"}
        finally:
            server.terminate()


def _once(program: str, folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """Of a whole process, its imports included, whose result is then removed: seconds, and the most memory in MB."""
    target = folder / "fetched"
    measured = _run(program, target, env)
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    return measured


def _run(program: str, target: Path, env: dict[str, str]) -> tuple[float, float]:
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program, URI, str(target)], env=env)
    _, status, used = os.wait4(process.pid, 0)  # Of it and of those that it has waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return time.perf_counter() - began, used.ru_maxrss / 1000


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://{address}/", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"the S3 server at {address} did not come up")
