"""Something that somebody else does just before or after one call, as a deployer that is frozen there would find it."""

from collections.abc import Callable
from typing import Any

Action = Callable[[], object]


def before(owner: object, method: str, action: Action, *, calls: int = 1) -> None:
    """Let `action` happen right before the method is called for the n-th time, once."""
    _meddle(owner, method, calls, action, lambda: None)


def after(owner: object, method: str, action: Action, *, calls: int = 1) -> None:
    """Let `action` happen right after the method was called for the n-th time, once."""
    _meddle(owner, method, calls, lambda: None, action)


def instead(owner: object, method: str, error: BaseException, *, only: Callable[..., bool] = lambda *_: True) -> None:
    """Let the method raise that error, for good, where its arguments are such."""
    original = getattr(owner, method)

    def refusing(*args: Any) -> Any:
        if only(*args):
            raise error
        return original(*args)

    setattr(owner, method, refusing)


def _meddle(owner: object, method: str, calls: int, first: Action, then: Action) -> None:
    original, left = getattr(owner, method), calls

    def meddled(*args: Any) -> Any:
        nonlocal left
        left -= 1
        due = left == 0
        if due:
            first()
        result = original(*args)
        if due:
            then()
        return result

    setattr(owner, method, meddled)
