"""Exit codes in words."""

import signal

UNSEEN = "it ended unseen: killed together with its starter, or the machine was restarted"


def in_words(exit_code: int, memory: str = "") -> str:
    """What an exit code, negative for a signal, tells a person.

    Args:
        memory: the limit that something of it wanted more than, and was killed for.
    """
    if memory:
        wanted = f"it wanted more than its {memory} of memory (resources.memory)"
        return f"it was killed: {wanted}" if exit_code == -signal.SIGKILL else f"{in_words(exit_code)}: {wanted}"
    if exit_code >= 0:
        return f"it exited with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = "; the system does that when memory runs out" if exit_code == -signal.SIGKILL else ""
    return f"it was ended by {name}{hint}"
