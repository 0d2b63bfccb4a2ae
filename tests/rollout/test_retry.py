from collections.abc import Iterator

import pytest

from deployer.engine import Ref, Wanted, Workload
from deployer.errors import EngineError, EngineUnavailable, GatewayDown, PrefectUnavailable, WorkloadExists
from deployer.gateways.memory import MemoryGateway
from deployer.rollout import retry
from deployer.rollout.retry import ATTEMPTS, PatientEngine, PatientGateway, patiently

REF = Ref("s", 1, "token-1")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "LONGEST_WAIT_S", 0.01)


class Ailing:
    """Fails so often with that error, then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.calls = error, times, 0

    def __call__(self, answer: str = "done") -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return answer


def test_what_may_go_better_next_time_is_tried_again() -> None:
    ailing = Ailing(EngineUnavailable("busy"), times=ATTEMPTS - 1)
    assert patiently(ailing, "yes") == "yes"
    assert ailing.calls == ATTEMPTS


def test_patience_ends_with_the_platforms_own_error() -> None:
    ailing = Ailing(EngineUnavailable("busy"), times=99)
    with pytest.raises(EngineUnavailable, match="busy"):
        patiently(ailing)
    assert ailing.calls == ATTEMPTS


@pytest.mark.parametrize(
    "error", [EngineError("no"), WorkloadExists("taken"), PrefectUnavailable("waited for"), ValueError("ours")]
)
def test_what_will_not_go_better_is_raised_at_once(error: Exception) -> None:
    ailing = Ailing(error, times=1)
    with pytest.raises(type(error)):
        patiently(ailing)
    assert ailing.calls == 1


class AilingEngine:
    """Each of its methods fails once with a transient error, then says that it was called."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def _once(self, name: str) -> None:
        self.called.append(name)
        if self.called.count(name) == 1:
            raise EngineUnavailable(name)

    def list(self, server: str | None = None) -> list[Workload]:
        self._once("list")
        return []

    def probe(self, workloads: object, deadline_s: float) -> dict[Ref, object]:
        self._once("probe")
        return {}

    def create(self, spec: object) -> None:
        self._once("create")

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        self._once("mark")

    def start(self, ref: Ref) -> None:
        self._once("start")

    def stop(self, ref: Ref, grace_s: float) -> None:
        self._once("stop")

    def delete(self, ref: Ref) -> None:
        self._once("delete")


def test_every_call_of_an_engine_is_met_with_patience() -> None:
    ailing = AilingEngine()
    patient = PatientEngine(ailing)  # type: ignore[arg-type]
    assert patient.list() == [] and patient.probe([], 1) == {}
    patient.create(None)  # type: ignore[arg-type]
    patient.mark(REF, Wanted.STOPPED, "")
    patient.start(REF)
    patient.stop(REF, 1)
    patient.delete(REF)
    assert [ailing.called.count(name) for name in sorted(set(ailing.called))] == [2] * 7


class AilingGateway(MemoryGateway):
    """Down for a while, call by call."""

    def __init__(self, down: Iterator[bool]) -> None:
        super().__init__()
        self.down, self.calls = down, 0

    def ensure(self) -> None:
        self._ail()

    def acknowledge(self, server: str, tag: str, deadline_s: float) -> None:
        self._ail()

    def remove(self, server: str, seen: str) -> None:
        self._ail()
        super().remove(server, seen)

    def _ail(self) -> None:
        self.calls += 1
        if next(self.down, False):
            raise GatewayDown("down")


def test_a_gateway_that_comes_back_is_waited_for() -> None:
    ailing = AilingGateway(iter([True, True]))
    PatientGateway(ailing).remove("s", "")
    assert ailing.calls == 3


def test_calls_of_a_gateway_with_a_deadline_of_their_own_are_not_repeated() -> None:
    for call in ("ensure", "acknowledge"):
        ailing = AilingGateway(iter([True]))
        with pytest.raises(GatewayDown):
            getattr(PatientGateway(ailing), call)(*(("s", "t", 1.0) if call == "acknowledge" else ()))
        assert ailing.calls == 1
