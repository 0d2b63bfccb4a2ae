"""Carries out checks, all at once, under one deadline."""

import threading
import time
from collections.abc import Callable, Mapping

from deployer.cli.doctor.finding import Finding, fail, warn
from deployer.cli.session import Session
from deployer.errors import DeployerError

Check = Callable[[Session], Finding]
WITHIN_S = 5.0


def examine(checks: Mapping[str, Check], session: Session, within_s: float = WITHIN_S) -> dict[str, Finding]:
    """What each check found, by its name; one that hangs costs no more than the deadline."""
    found: dict[str, Finding] = {}
    # Not a pool: it would wait for what hangs.
    threads = [
        threading.Thread(target=_carry_out, args=(name, check, session, found), daemon=True)
        for name, check in checks.items()
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = warn(
        f"It was not done within {within_s:g} s.", "The machine may be busy, or what was asked does not answer."
    )
    done = dict(found)
    return {name: done.get(name, late) for name in checks}


def _carry_out(name: str, check: Check, session: Session, found: dict[str, Finding]) -> None:
    try:
        found[name] = check(session)
    except DeployerError as error:
        found[name] = fail(error.what, error.hint)
    except Exception as error:
        found[name] = warn(f"The check itself failed: {type(error).__name__}: {error}", "Please report it.")
