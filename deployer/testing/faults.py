"""What can befall a deployer at any call that it makes: errors, lateness, death, a freeze."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from deployer.engine import Wanted
from deployer.engine_deployer import EngineModelDeployer
from deployer.records.record import Record

ENGINE_CALLS = ("list", "probe", "create", "mark", "start", "stop", "delete")
CALLS = {
    "engine": (*ENGINE_CALLS, "log", "sweep", "unreadable", "note_silence", "kill_silent", "keep_alive"),
    "gateway": ("ensure", "routes", "write", "acknowledge", "remove"),
    "store": ("add", "collect"),
}
READS = frozenset({"engine.list", "engine.probe", "engine.log", "engine.unreadable", "gateway.routes"})
THAWED_WITHIN_S = 120.0
Deployer = TypeVar("Deployer", bound=EngineModelDeployer)


@dataclass(frozen=True)
class Call:
    """One call that a deployer makes of its engine, its gateway or its store.

    Attributes:
        number: among all its calls, from 0, as they begin.
    """

    number: int
    owner: str
    method: str
    args: tuple[Any, ...]

    @property
    def name(self) -> str:
        return f"{self.owner}.{self.method}"

    @property
    def changes(self) -> bool:
        """Whether it may leave anything other than it was."""
        return self.name not in READS

    def __str__(self) -> str:
        return f"{self.name} (call {self.number})"


At = Callable[[Call], bool]
Do = Callable[[], Any]


class Fault(Protocol):
    """Stands around every call of one deployer."""

    def around(self, call: Call, do: Do) -> Any:
        """Make the call, or let happen what befalls it."""
        ...


def befall(deployer: Deployer, fault: Fault) -> Deployer:
    """Let that fault stand around each call that the deployer makes from now on; the last one given is outermost."""
    numbers = _Numbers()
    for owner, methods in CALLS.items():
        thing = getattr(deployer, owner)
        for method in methods:
            if hasattr(thing, method):
                setattr(thing, method, _surrounded(getattr(thing, method), owner, method, numbers, fault))
    return deployer


def nth(name: str, n: int = 1) -> At:
    """The n-th call of that name."""
    left = n

    def at(call: Call) -> bool:
        nonlocal left
        left -= call.name == name
        return call.name == name and left == 0

    return at


def named(name: str) -> At:
    """Every call of that name."""
    return lambda call: call.name == name


def marking(wanted: Wanted) -> At:
    """Every call that marks a workload so."""
    return lambda call: call.name == "engine.mark" and call.args[1] is wanted


def numbered(number: int) -> At:
    """The call of that number."""
    return lambda call: call.number == number


@dataclass
class Watch:
    """Nothing befalls the deployer; its calls are noted as they begin."""

    calls: list[Call] = field(default_factory=list)

    def around(self, call: Call, do: Do) -> Any:
        self.calls.append(call)
        return do()


@dataclass
class Effects:
    """Nothing befalls the deployer; its calls are noted once they took effect, where this stands innermost."""

    calls: list[Call] = field(default_factory=list)

    def around(self, call: Call, do: Do) -> Any:
        done = do()
        self.calls.append(call)
        return done

    @property
    def created(self) -> list[Record]:
        """Of the revisions that it made."""
        return [call.args[0].record for call in self.calls if call.name == "engine.create"]


class Killed(BaseException):
    """The deployer is dead: no code of its own runs on, and no call of its reaches the platform."""


@dataclass
class Death:
    """The deployer dies at a call: before it took effect, or after.

    Attributes:
        befell: the call; None as long as it lives.
    """

    at: At
    after: bool = False
    befell: Call | None = None

    def around(self, call: Call, do: Do) -> Any:
        if self.befell:
            raise Killed
        if not self.at(call):
            return do()
        if self.after:
            do()
        self.befell = call
        raise Killed


@dataclass
class Freeze:
    """The deployer stands still at a call, before it takes effect or after, until it is thawed."""

    at: At
    after: bool = False
    befell: Call | None = None

    def __post_init__(self) -> None:
        self.frozen, self._thawed = threading.Event(), threading.Event()

    def thaw(self) -> None:
        self._thawed.set()

    def around(self, call: Call, do: Do) -> Any:
        if self.befell or not self.at(call):
            return do()
        self.befell = call
        if not self.after:
            self._stand_still()
            return do()
        done = do()
        self._stand_still()
        return done

    def _stand_still(self) -> None:
        self.frozen.set()
        assert self._thawed.wait(THAWED_WITHIN_S), "nobody thawed it"


@dataclass
class Failure:
    """A call fails, or is interrupted; where `after`, its effect was had and its answer lost.

    Attributes:
        for_good: every later call of the same name fails too.
    """

    at: At
    error: BaseException
    after: bool = False
    for_good: bool = False
    befell: Call | None = None

    def around(self, call: Call, do: Do) -> Any:
        if not self._meant(call):
            return do()
        if self.after:
            do()
        raise self.error

    def _meant(self, call: Call) -> bool:
        if self.befell:
            return self.for_good and call.name == self.befell.name
        if self.at(call):
            self.befell = call
        return self.befell is not None


@dataclass
class Lateness:
    """A call takes effect late; where `after`, its answer comes late."""

    at: At
    seconds: float
    after: bool = False
    befell: Call | None = None

    def around(self, call: Call, do: Do) -> Any:
        if self.befell or not self.at(call):
            return do()
        self.befell = call
        if not self.after:
            time.sleep(self.seconds)
            return do()
        done = do()
        time.sleep(self.seconds)
        return done


class _Numbers:
    def __init__(self) -> None:
        self._lock, self._next = threading.Lock(), 0

    def take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1


def _surrounded(original: Callable[..., Any], owner: str, method: str, numbers: _Numbers, fault: Fault) -> Any:
    def call_through(*args: Any, **named: Any) -> Any:
        return fault.around(Call(numbers.take(), owner, method, args), lambda: original(*args, **named))

    return call_through
