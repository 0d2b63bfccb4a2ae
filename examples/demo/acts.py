"""The acts of the demo, and what each must show."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployer.errors import DeployerError
from examples.demo.traffic import Sent, requests_in

LINGER_S = 0.3


@dataclass(frozen=True)
class Act:
    """One act as it went.

    Attributes:
        began, ended: by the wall clock.
        revision: the one that must answer at its end.
        may_fail: whether an outage belongs to it.
        wrong: what was not as it should be.
    """

    name: str
    began: float
    ended: float
    revision: int
    remark: str
    may_fail: bool = False
    wrong: str = ""


@dataclass(frozen=True)
class Played:
    """An act beside the requests that ended in it."""

    act: Act
    requests: tuple[Sent, ...]

    @property
    def failed(self) -> tuple[Sent, ...]:
        return tuple(sent for sent in self.requests if sent.failed)

    @property
    def revisions(self) -> str:
        return ", ".join(dict.fromkeys(sent.revision for sent in self.requests if not sent.failed))

    @property
    def outage_s(self) -> float:
        """From the first request that failed to the end of the last."""
        return self.failed[-1].ended - self.failed[0].began if self.failed else 0.0

    @property
    def wrong(self) -> str:
        """Why it was not as it should be; empty if it was."""
        if self.act.wrong:
            return self.act.wrong
        if self.failed and not self.act.may_fail:
            return f"{len(self.failed)} requests failed, the first with {self.failed[0].trouble}"
        if not self.failed and self.act.may_fail:
            return "the server was killed, and no request noticed"
        last = next((sent.revision for sent in reversed(self.requests) if not sent.failed), "none")
        return "" if last == str(self.act.revision) else f"revision {last} answered last, not {self.act.revision}"


def act(name: str, revision: int, play: Callable[[], str], may_fail: bool = False) -> Act:
    """Play one act and let the requests go on for a moment after it.

    Args:
        play: gives a remark, or raises what is wrong.
    """
    began, wrong, remark = time.time(), "", ""
    print(f"· {name} …", flush=True)
    try:
        remark = play()
    except (AssertionError, DeployerError) as error:
        wrong = str(error) or type(error).__name__
    time.sleep(LINGER_S)
    return Act(name, began, time.time(), revision, remark, may_fail, wrong)


def played(acts: list[Act], out: Path) -> list[Played]:
    """Each act beside the requests that ended in it: one in flight when the server was killed belongs to the kill."""
    sent = sorted(requests_in(out), key=lambda one: one.ended)
    return [Played(one, tuple(s for s in sent if one.began <= s.ended < one.ended)) for one in acts]
