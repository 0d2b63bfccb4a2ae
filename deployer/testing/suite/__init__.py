"""The conformance suite: what every flavor must show, each scenario with its number.

A flavor's test module names it whole, and says how its platform is reached:

    from deployer.testing.suite import *

    @pytest.fixture
    def harness(tmp_path):
        with closing(MyHarness(tmp_path)) as mine:
            yield mine

`MyHarness` fulfils `deployer.testing.harness.Harness`. After every scenario the suite looks at the platform
from outside, deletes all servers, and looks again. Nothing is skipped but what `applicable.NOT_APPLICABLE` lists.
"""

from importlib import import_module

import pytest

PARTS = (
    "contract",
    "finding",
    "running",
    "records",
    "service",
    "refusals",
    "registry",
    "faults",
    "pids",
    "gateway_down",
    "rivals",
    "repeats",
    "befallen",
    "broken_off",
    "killed",
    "struck",
    "erased",
    "reviving",
    "hanging",
    "recreate",
    "recreate_crossed",
    "not_ours",
    "promises",
    "disk_full",
    "aftermath",
)
_NAMES = [f"{__name__}.{part}" for part in PARTS]

# Only a module that was announced before its import tells in full how an assertion failed.
pytest.register_assert_rewrite(*_NAMES)

_FOUND = {
    name: thing
    for module in map(import_module, _NAMES)
    for name, thing in vars(module).items()
    if name.startswith("test_") or name == "aftermath"
}
globals().update(_FOUND)
__all__ = list(_FOUND)
