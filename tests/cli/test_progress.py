import io

import pytest
from rich.console import Console

from deployer.cli.progress import LiveSteps, shown
from deployer.rollout.steps import Action, Progress, Step

FETCH = Step(action=Action.FETCH, cause="the model at [bold]/m[/bold] is copied")
START = Step(action=Action.START, cause="revision 1 is wanted")


def seen(steps: LiveSteps) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(steps)
    return [line.strip() for line in capture.get().splitlines()]


def test_steps_that_are_done_have_their_seconds_and_one_that_never_ended_is_marked_so() -> None:
    steps = LiveSteps()
    for progress in (Progress("churn", FETCH), Progress("churn", FETCH, 0.25), Progress("churn", START)):
        steps.tell(progress)
    assert seen(steps)[0].startswith("✓")
    assert seen(steps)[0].endswith("0.2 s")
    assert not seen(steps)[1].startswith("✗")
    steps.over = True
    assert seen(steps)[1].startswith("✗")


def test_the_same_step_of_two_servers_is_two_lines() -> None:
    steps = LiveSteps()
    for progress in (Progress("churn", START), Progress("prices", START), Progress("churn", START, 1.0)):
        steps.tell(progress)
    churn, prices = seen(steps)
    assert churn.endswith("1.0 s")
    assert not prices.endswith(" s")


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    steps = LiveSteps()
    steps.tell(Progress("churn", FETCH, None))
    assert FETCH.cause in seen(steps)[0]


def test_away_from_a_terminal_a_line_is_printed_as_a_step_begins_and_when_it_took_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown() as tell:
        for seconds in (None, 0.5, 1.5):
            tell(Progress("churn", START, seconds))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["churn: start: revision 1 is wanted", "churn: start: done after 1.5 s"]


def test_how_far_a_fetch_is_takes_the_place_of_its_cause_until_it_is_done() -> None:
    steps = LiveSteps()
    steps.tell(Progress("churn", FETCH))
    steps.tell(Progress("churn", FETCH, detail="1.0 GB of 4.0 GB"))
    assert "1.0 GB of 4.0 GB" in seen(steps)[0]
    steps.tell(Progress("churn", FETCH, 3.0))
    assert "GB" not in seen(steps)[0]


def test_away_from_a_terminal_it_is_told_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with shown() as tell:
        tell(Progress("churn", FETCH))
        for second in range(1, 26):
            now = 100.0 + second
            tell(Progress("churn", FETCH, detail=f"{second} MB"))
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()[1:]] == ["10 MB", "20 MB"]
