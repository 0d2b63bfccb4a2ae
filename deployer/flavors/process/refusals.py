"""Why the engine did not do what it was asked for, as errors of ours."""

import contextlib
from collections.abc import Iterator

from deployer.engine import Ref
from deployer.errors import EngineError, EngineUnavailable
from deployer.flavors.process.folder import NotReadable, WorkloadFolder
from deployer.processes.passing import passes


@contextlib.contextmanager
def refusals(failure: str) -> Iterator[None]:
    """The system's errors as ours."""
    try:
        yield
    except OSError as error:
        kind = EngineUnavailable if passes(error) else EngineError
        where = f": {error.filename}" if error.filename else ""
        what = f"{failure}: {error.strerror or error}{where}"
        raise kind(what, hint="See to the state directory and the disk it is on.") from None
    except NotReadable as error:
        raise EngineError(f"{failure}: {error}", hint="Its folder was changed by hand: see to it.") from None


def not_claimed(ref: Ref, folder: WorkloadFolder) -> EngineError | EngineUnavailable:
    """Why it was not deleted."""
    if folder.held():
        return EngineError(f"{ref} runs, so it is not deleted", hint="Stop it first.")
    return looked_at(f"{ref} was not deleted")


def looked_at(what: str) -> EngineUnavailable:
    """One that nobody runs and whose lock is shared all the same."""
    why = "another deployer has been looking at it for a while"
    return EngineUnavailable(f"{what}: {why}", hint="It may be suspended: wake or end it, then try again.")
