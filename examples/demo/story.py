"""What happens in the demo, act by act."""

import contextlib
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from sklearn.datasets import load_digits

import deployer as library
from deployer import ModelServer, State
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RevisionRefused
from deployer.tasks import rollback_model_server
from examples.demo.acts import Act, Played, act, played
from examples.demo.places import PLACES, Place
from examples.demo.prefect_server import wait_until_up
from examples.demo.traffic import traffic
from examples.demo.training import SERVER, open_tracking_store, train_and_deploy
from flows.reconcile_model_servers import reconcile_model_servers

NOTICED_WITHIN_S = 10.0


def tell(folder: Path, api_url: str, keep: bool, flavor: str) -> list[Played]:
    """Play all acts on a deployer of the demo's own; nothing of it runs afterwards, unless it is kept."""
    warnings.filterwarnings("ignore")
    open_tracking_store(folder)
    wait_until_up(api_url, folder)
    place = PLACES[flavor]
    place.save_block(folder)
    with _deployer(place, keep) as deployer, contextlib.ExitStack() as stack:
        first, server, out = _first_act(place, folder, stack)
        acts = [first, *_acts_under_traffic(place, deployer, server)]
    return played(acts, out)


def _first_act(place: Place, folder: Path, stack: contextlib.ExitStack) -> tuple[Act, ModelServer, Path]:
    """The first deploy; from its end on requests are sent until the stack is closed."""
    found: list[tuple[ModelServer, Path]] = []

    def play() -> str:
        server, accuracy = train_and_deploy(place.reference, trees=1)
        question = folder / "question.json"
        question.write_text(json.dumps({"inputs": load_digits().data[:1].tolist()}))
        found.append((server, stack.enter_context(traffic(server.prediction_url, question, folder))))
        return f"{server.url}, accuracy {accuracy:.2f}"

    first = act("a flow trains and deploys", 1, play)
    if not found:
        raise SystemExit(f"The first deploy failed: {first.wrong}")
    return first, *found[0]


def _acts_under_traffic(place: Place, deployer: EngineModelDeployer, server: ModelServer) -> Iterator[Act]:
    yield act("a better model replaces it", 2, lambda: _replaced(place, server))
    yield act("a broken model is refused", 2, lambda: _refused(place, deployer, server))
    yield act("a rollback", 4, lambda: _rolled_back(place, server))
    yield act("SIGKILL, healed by the flow", 4, lambda: _healed(place, deployer, server), may_fail=True)


def _replaced(place: Place, server: ModelServer) -> str:
    better, accuracy = train_and_deploy(place.reference, trees=20)
    assert (better.uuid, better.url) == (server.uuid, server.url), "the URL or the UUID changed"
    return f"the same URL, accuracy {accuracy:.2f}"


def _refused(place: Place, deployer: EngineModelDeployer, server: ModelServer) -> str:
    try:
        train_and_deploy(place.reference, trees=20, interrupted_upload=True)
    except RevisionRefused as refusal:
        (now,) = deployer.find_model_server(service_uuid=server.uuid)
        assert (now.state, now.revision) == (State.READY, 2), f"revision {now.revision} is {now.state}"
        return f"{refusal.log_tail.strip().splitlines()[-1]}"
    raise AssertionError("a broken model was not refused")


def _rolled_back(place: Place, server: ModelServer) -> str:
    back = rollback_model_server(str(server.uuid), place.reference)
    return f"revision {back.revision} serves what revision 1 did"


def _healed(place: Place, deployer: EngineModelDeployer, server: ModelServer) -> str:
    place.kill_server(deployer, server)
    _wait_until(deployer, server, State.FAILED)
    reconcile_model_servers(place.reference)
    _wait_until(deployer, server, State.READY)
    return "brought back at the same URL"


def _wait_until(deployer: EngineModelDeployer, server: ModelServer, state: State) -> None:
    deadline = time.monotonic() + NOTICED_WITHIN_S
    while (now := deployer.find_model_server(service_uuid=server.uuid)[0]).state is not state:
        assert time.monotonic() < deadline, f"the server is {now.state}, not {state}: {now.message}"
        time.sleep(0.05)


@contextlib.contextmanager
def _deployer(place: Place, keep: bool) -> Iterator[EngineModelDeployer]:
    deployer = library.load(place.reference)
    assert isinstance(deployer, EngineModelDeployer)
    try:
        yield deployer
    finally:
        if not keep:
            _end(place, deployer)


def _end(place: Place, deployer: EngineModelDeployer) -> None:
    """Of the demo's own server and gateway; others may be on the same platform."""
    for server in deployer.find_model_server(model_name=SERVER):
        digests = {entry.digest for entry in deployer.history(server.uuid)}
        deployer.delete_model_server(server.uuid, force=True)
        place.forget(deployer, digests)
    deployer.gateway.shutdown(grace_s=5)  # type: ignore[attr-defined]
