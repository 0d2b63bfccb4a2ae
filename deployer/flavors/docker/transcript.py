"""What a build says, step by step."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from deployer.environments.uv import LAST_LINES, LOGIN
from deployer.flavors.docker.stream import Line

BEGINS = re.compile(r"Step \d+/\d+ : ")
OF_THE_ENGINE = re.compile(r" ---> |Removing intermediate container |Successfully (built|tagged) ")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Transcript:
    """The last lines of the present step, without the engine's own and without logins."""

    tell: Callable[[str], None]
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def take(self, line: Line) -> None:
        for text in COLOURS.sub("", str(line.get("stream", ""))).splitlines():
            if not text.strip() or OF_THE_ENGINE.match(text):
                continue
            shown = LOGIN.sub("//***@", text.rstrip())
            if BEGINS.match(text):
                self._last.clear()
            else:
                self._last.append(shown)
            self.tell(shown)

    def tail(self, otherwise: str = "") -> str:
        """Those of the present step; where it wrote none, what else is known."""
        return "\n".join(self._last) or otherwise
