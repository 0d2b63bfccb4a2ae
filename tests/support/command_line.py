"""The command `model-deployer`, called as its users call it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from deployer.cli.main import app
from deployer.testing.models import command_line

PROGRAM = Path(sys.executable).parent / "model-deployer"
QUICK = {
    "runtime": "command",
    "command": {"line": command_line(), "prediction_path": "/invocations"},
    "probes": {"settle_s": 0.05},
    "drain": {"drain_s": 0.05, "grace_s": 5},
}


def quick_config(folder: Path) -> tuple[str, Path]:
    file = folder / "quick.json"
    file.write_text(json.dumps(QUICK))
    return "--config", file


@dataclass(frozen=True)
class Answer:
    """What one call printed, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        return json.loads(self.stderr)


@dataclass(frozen=True)
class InOneProcess:
    """Calls on a platform in memory of the test's own."""

    platform: str
    folder: Path

    def __call__(self, *words: object, **environment: str) -> Answer:
        settings = ["--set", f"platform={self.platform}", "--set", f"model_store={self.folder / 'store'}"]
        return self.bare("-d", "memory", *settings, *words, **environment)

    def bare(self, *words: object, stdin: str = "", **environment: str) -> Answer:
        ran = CliRunner().invoke(app, [str(word) for word in words], input=stdin, env=environment)
        return Answer(ran.exit_code, ran.stdout, ran.stderr)

    @property
    def quick(self) -> tuple[str, Path]:
        """A config file that wastes no time, as options."""
        return quick_config(self.folder)


@dataclass(frozen=True)
class InProcesses:
    """Calls in processes of their own, on the process flavor with a state directory of the test's own."""

    state_dir: Path
    gateway_port: int

    def __call__(self, *words: object, stdin: str | None = None) -> Answer:
        ran = subprocess.run(
            self.command(*words),
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Answer(ran.returncode, ran.stdout, ran.stderr)

    @property
    def quick(self) -> tuple[str, Path]:
        """A config file that wastes no time, as options."""
        return quick_config(self.state_dir.parent)

    def command(self, *words: object) -> list[str]:
        return [str(PROGRAM), *map(str, words)]

    @property
    def environment(self) -> dict[str, str]:
        ours = {"MODEL_DEPLOYER_STATE_DIR": str(self.state_dir), "MODEL_DEPLOYER_GATEWAY_PORT": str(self.gateway_port)}
        return {**os.environ, **ours, "COLUMNS": "80"}
