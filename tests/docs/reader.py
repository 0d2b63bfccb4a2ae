"""One who does what a page says, in a home and a folder of their own."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from deployer.config import ModelServerConfig
from tests.docs.pages import SHOWN, Block

BLOCK_TAKES_S = 120
ENDS_WITHIN_S = 20
OWN_OF_A_SHELL = {"_", "SHLVL", "PWD", "OLDPWD"}
WITHOUT = re.compile(r"XDG_|MODEL_DEPLOYER|PREFECT_(HOME|API|PROFILE)|COV_|PYTEST_")


@dataclass
class Reader:
    """Somebody with a page.

    Attributes:
        instead: what their machine has in place of each port or folder that the docs name.
    """

    home: Path
    folder: Path
    instead: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        theirs = {name: value for name, value in os.environ.items() if not WITHOUT.match(name)}
        self.env = theirs | {"HOME": str(self.home), "PATH": programs, "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._elsewhere: list[tuple[Block, str, subprocess.Popen[bytes], Path]] = []

    def does(self, block: Block) -> None:
        """What the block asks for.

        Raises:
            AssertionError: that went otherwise than the page says; with the block, its exit code and its output.
        """
        if block.not_run or block.language in SHOWN:
            return
        if block.file:
            (self.folder / block.file).write_text(self._theirs(block.code), encoding="utf-8")
        elif block.language == "yaml":
            fields = yaml.safe_load(block.code)
            ModelServerConfig.model_validate({"model_uri": "models/churn", "name": "churn", **fields})
        elif block.language == "toml":
            tomllib.loads(block.code)
        else:
            self._runs(block)

    def leaves(self) -> None:
        """Ends what was started in another terminal.

        Raises:
            AssertionError: something of it had failed already, or does not end.
        """
        for block, line, program, log in self._elsewhere:
            if (code := program.poll()) is None:
                program.terminate()
                program.wait(ENDS_WITHIN_S)
            elif code:
                raise AssertionError(_told(block, line, code, log.read_text(errors="replace")))

    def _runs(self, block: Block) -> None:
        lines: list[str] = []
        for line in self._theirs(block.code).splitlines():
            if line.startswith(block.done_already or ("\0",)):
                continue
            if line.startswith(block.elsewhere or ("\0",)):
                self._run(block, "\n".join(lines))
                self._starts(block, line)
                lines = []
            else:
                lines.append(line)
        self._run(block, "\n".join(lines))

    def _run(self, block: Block, code: str) -> None:
        if not code.strip():
            return
        exit_code, output = self._ended(self._command(block, code))
        told = _told(block, code, exit_code, output)
        if block.fails_with:
            assert exit_code, f"it should fail with {block.fails_with}: {told}"
            assert block.fails_with in output, told
        else:
            assert exit_code == 0, told
        self._goes_on_with_the_variables()

    def _ended(self, command: list[str]) -> tuple[int | str, str]:
        """How it ended, and what it wrote."""
        log = self.home / ".output"
        with log.open("wb") as out:
            try:
                exit_code: int | str = subprocess.run(
                    command,
                    env=self.env,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    timeout=BLOCK_TAKES_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                exit_code = f"nothing within {BLOCK_TAKES_S} s"
        return exit_code, log.read_text(errors="replace")

    def _command(self, block: Block, code: str) -> list[str]:
        if block.language == "python":
            program = self.folder / f".line_{block.line}.py"
            program.write_text(code, encoding="utf-8")
            return [sys.executable, str(program)]
        left = f"set -euo pipefail\ntrap 'env -0 >{shlex.quote(str(self._variables))}' EXIT\n"
        return ["bash", "-c", left + code]

    def _starts(self, block: Block, line: str) -> None:
        log = self.home / f"elsewhere-{len(self._elsewhere)}.log"
        with log.open("wb") as out:
            command = ["bash", "-c", f"exec {line}"]
            program = subprocess.Popen(
                command, env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self._elsewhere.append((block, line, program, log))

    @property
    def _variables(self) -> Path:
        return self.home / ".variables"

    def _goes_on_with_the_variables(self) -> None:
        if self._variables.exists():
            pairs = (pair.partition(b"=") for pair in self._variables.read_bytes().split(b"\0") if pair)
            left = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
            self.env = {name: value for name, value in left.items() if name not in OWN_OF_A_SHELL}
            self._variables.unlink()

    def _theirs(self, code: str) -> str:
        for documented, own in self.instead.items():
            code = re.sub(rf"(?<!\w){re.escape(documented)}(?!\w)", own, code)
        return code


def _told(block: Block, code: str, exit_code: int | str, output: str) -> str:
    return f"the block of line {block.line} ended with {exit_code}\n{code}\n--- its output\n{output}"
