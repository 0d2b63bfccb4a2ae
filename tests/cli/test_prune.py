import os
import time
from pathlib import Path

import pytest

from deployer.cli.tables import size
from deployer.testing.models import write_model
from tests.cli.test_program import on_a_terminal
from tests.support.command_line import InOneProcess, InProcesses


def age_all(folder: Path) -> None:
    then = time.time() - 2 * 3600
    for entry in folder.iterdir():
        os.utime(entry, (then, then))


def one_left_over(cli: InOneProcess, model: Path) -> Path:
    """By a plan, which fills the store and is no deploy."""
    assert cli("plan", "churn", model, *cli.quick).exit_code == 0
    (entry,) = (cli.folder / "store").iterdir()
    age_all(cli.folder / "store")
    return entry


def test_where_nothing_is_left_over_it_says_so(cli: InOneProcess) -> None:
    assert cli("prune").stdout == "Nothing is left over.\n"
    assert cli("prune", "--json").json == {"leftovers": [], "bytes": 0, "removed_bytes": 0, "unreadable": []}


def test_a_dry_run_shows_and_removes_nothing(cli: InOneProcess, model: Path) -> None:
    entry = one_left_over(cli, model)
    shown = cli("prune", "--dry-run")
    assert shown.exit_code == 0
    assert str(entry) in shown.stdout
    assert "Removed" not in shown.stdout
    (told,) = cli("prune", "--dry-run", "--json").json["leftovers"]
    bytes_of_it = (model / "model.json").stat().st_size
    assert told == {"kind": "model", "where": str(entry), "bytes": bytes_of_it, "removed": False}
    assert size(bytes_of_it) in shown.stdout
    assert entry.exists()


def test_what_is_left_over_is_removed_and_counted(cli: InOneProcess, model: Path) -> None:
    entry = one_left_over(cli, model)
    answer = cli("prune", "--json")
    assert (answer.exit_code, entry.exists()) == (0, False)
    assert [one["removed"] for one in answer.json["leftovers"]] == [True]
    assert answer.json["removed_bytes"] == answer.json["bytes"] > 0


def test_what_serves_is_never_among_it(cli: InOneProcess, model: Path) -> None:
    cli("deploy", "churn", model, *cli.quick)
    age_all(cli.folder / "store")
    assert cli("prune", "--json").json["leftovers"] == []


def test_what_was_used_lately_stays_unless_less_is_asked_for(cli: InOneProcess, model: Path) -> None:
    one_left_over(cli, model)
    assert cli("prune", "--unused-for", 180, "--json").json["leftovers"] == []
    assert len(cli("prune", "--unused-for", 119, "--json").json["leftovers"]) == 1


@pytest.mark.parametrize("minutes", ["0", "-1", "soon", "1.5", ""])
def test_minutes_that_are_none_are_wrong_usage(cli: InOneProcess, minutes: str) -> None:
    answer = cli("prune", "--unused-for", minutes)
    assert (answer.exit_code, answer.stdout) == (2, "")


def test_a_terminal_is_asked_first(program: InProcesses, model: Path) -> None:
    assert program("plan", "churn", model, *program.quick).exit_code == 0
    models = program.state_dir / "models"
    age_all(models)
    code, seen = on_a_terminal(program, "prune", typed=b"n\n")
    assert (code, "Remove all of it" in seen, len(list(models.iterdir()))) == (1, True, 1)
    code, seen = on_a_terminal(program, "prune", "--dry-run")
    assert (code, "Remove all of it" in seen, len(list(models.iterdir()))) == (0, False, 1)
    code, seen = on_a_terminal(program, "prune", typed=b"y\n")
    assert (code, list(models.iterdir())) == (0, []), seen
    assert "Removed 1 of 1" in seen


def test_describe_tells_what_a_server_takes_on_disk(program: InProcesses, model: Path) -> None:
    deployed = program("deploy", "churn", model, *program.quick)
    assert deployed.exit_code == 0, deployed.stderr
    known = program("describe", "churn", "--json").json
    assert known["model_bytes"] == (model / "model.json").stat().st_size
    logs = (program.state_dir / "workloads" / "churn-r1").glob("log*")
    assert known["log_bytes"] == sum(log.stat().st_size for log in logs)
    told = program("describe", "churn").stdout
    shown = dict(line.split(":", 1) for line in told.splitlines() if ": " in line)
    assert shown["model size"].strip() == size(known["model_bytes"])
    assert shown["log size"].strip() == size(known["log_bytes"])


def test_a_flavor_that_keeps_no_log_tells_no_size_of_it(cli: InOneProcess, model: Path) -> None:
    cli("deploy", "churn", model, *cli.quick)
    known = cli("describe", "churn", "--json").json
    assert (known["model_bytes"], known["log_bytes"]) == ((model / "model.json").stat().st_size, None)
    write_model(model, "v2")
    assert cli("describe", "churn", "--json").json["model_bytes"] == known["model_bytes"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
    ],
)
def test_sizes_are_shown_in_the_unit_that_fits(count: int, shown: str) -> None:
    assert size(count) == shown
