"""reconcile() with nothing to do: its one list call, and its time beyond decoding the records."""

from dataclasses import dataclass
from functools import partial

from benchmarks.compared import by_turns
from benchmarks.figure import Figure, at_most, compared_with, median, spread
from benchmarks.many import NEVER_REPLACED, OFTEN_REPLACED, memory_deployer, serve_many
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.records.record import Record
from deployer.testing.faults import Watch, befall

FEW, MANY = 1_000, 10_000
ROUNDS = {FEW: 15, MANY: 7}
BAR_S, LINEAR = 0.05, 1.25


@dataclass(frozen=True)
class Idle:
    """Rounds of decoding and of reconcile, in seconds, and what one reconcile calls."""

    count: int
    replaced: int
    rounds: list[tuple[float, float]]
    calls: list[str]

    @property
    def by_decoding(self) -> float:
        """Reconcile's seconds in those of decoding."""
        return median([whole / decoding for decoding, whole in self.rounds])


def figures() -> list[Figure]:
    few, many = _idle(FEW, NEVER_REPLACED), _idle(MANY, NEVER_REPLACED)
    growth = many.by_decoding / few.by_decoding
    linear = f"{growth:.2f} ({many.by_decoding:.1f} beside {few.by_decoding:.1f} times decoding)"
    return [
        *_shown(few),
        *_shown(many),
        Figure(f"… for each over {MANY:,} beside over {FEW:,}", linear, f"at most {LINEAR}", growth <= LINEAR),
        *_shown(_idle(FEW, OFTEN_REPLACED)),
    ]


def _idle(count: int, replaced: int) -> Idle:
    with memory_deployer() as deployer:
        serve_many(deployer, count, replaced)
        rounds = by_turns(partial(_decode, deployer), deployer.reconcile, ROUNDS[count])
        befall(deployer, watch := Watch())
        assert not deployer.reconcile().changed
    return Idle(count, replaced, rounds, [call.name for call in watch.calls])


def _shown(idle: Idle) -> list[Figure]:
    what = f"{idle.count:,} servers, each replaced {idle.replaced} times"
    decoding = spread([d for d, _ in idle.rounds], "ms", 1000, 0)
    lists = idle.calls.count("engine.list")
    beyond = [(whole - decoding) * 1000 / idle.count for decoding, whole in idle.rounds]
    return [
        compared_with(f"decode the records of {what} (for both: garbage not collected)", decoding),
        Figure(f"list calls of an idle reconcile over {what}", str(lists), "1", lists == 1),
        at_most(f"idle reconcile over {what} beyond decoding, for each 1,000", beyond, BAR_S, "ms", 1000),
    ]


def _decode(deployer: MemoryModelDeployer) -> list[Record]:
    return [Record.model_validate_json(stored.record) for stored in deployer.platform.workloads.values()]
