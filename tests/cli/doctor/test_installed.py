from pathlib import Path

import pytest

from deployer.cli.doctor import installed
from deployer.cli.doctor.finding import Status
from deployer.cli.session import Session

SESSION = Session("process")
REQUIREMENTS = [
    "prefect<4,>=3.8.8",
    "sqlalchemy<2.1,>=2",
    "fastapi<0.151",
    "numpy>=1.26; extra == 'mlflow'",
    "boto3; extra == 's3'",
    "pywin32; sys_platform == 'win32'",
]
ALL = {"prefect": "3.8.8", "sqlalchemy": "2.0.44", "fastapi": "0.150.1", "numpy": "2.1", "boto3": "1.40"}


def test_what_is_installed_here_fits() -> None:
    assert installed.python(SESSION).status is Status.OK
    assert installed.packages(SESSION).status is Status.OK
    assert "mlflow" in installed.extras(SESSION).what


@pytest.mark.parametrize(
    ("name", "there", "said"),
    [
        ("sqlalchemy", "2.1.0", "dies silently"),
        ("sqlalchemy", "2.1.0b1", "dies silently"),
        ("fastapi", "0.155.0", "Prefect's server breaks"),
        ("prefect", "4.0.0", "prefect 4.0.0"),
        ("prefect", None, "is not installed"),
    ],
)
def test_a_version_that_breaks_prefects_server_fails_with_the_reason(name: str, there: str | None, said: str) -> None:
    finding = installed.unmet(installed.needed(REQUIREMENTS, ""), {**ALL, name: there}.get)
    assert finding.status is Status.FAIL
    assert said in finding.what
    assert "pip install" in finding.hint


def test_versions_that_fit_are_ok_and_what_other_systems_need_is_not_asked_for() -> None:
    assert installed.unmet(installed.needed(REQUIREMENTS, ""), ALL.get).status is Status.OK


@pytest.mark.parametrize(
    ("missing", "status", "said"),
    [
        ([], Status.OK, "mlflow, s3"),
        (["boto3"], Status.INFO, "not installed: s3"),
        (["numpy"], Status.WARN, "the default runtime serves nothing"),
    ],
)
def test_extras_are_told_by_what_they_require(missing: list[str], status: Status, said: str) -> None:
    there = {name: version for name, version in ALL.items() if name not in missing}
    finding = installed.usable(["mlflow", "s3"], REQUIREMENTS, there.get)
    assert finding.status is status
    assert said in finding.what


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    for folder in installed.OUR_FOLDERS:
        (tmp_path / "ours" / folder).mkdir(parents=True)
        (tmp_path / "ours" / folder / f"{folder}_of_ours.py").write_text("")
    return tmp_path / "ours"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs" / "flows").mkdir(parents=True)
    (tmp_path / "theirs" / "flows" / "training.py").write_text("")
    return tmp_path / "theirs"


def test_a_folder_of_the_same_name_merges_with_ours(ours: Path, theirs: Path) -> None:
    assert installed.shadowed(ours, [str(theirs), str(ours)]).status is Status.OK


def test_a_package_of_the_same_name_hides_ours_wherever_it_stands(ours: Path, theirs: Path) -> None:
    (theirs / "flows" / "__init__.py").write_text("")
    for path in ([theirs, ours], [ours, theirs]):
        finding = installed.shadowed(ours, [str(folder) for folder in path])
        assert finding.status is Status.FAIL
        assert str(theirs / "flows" / "__init__.py") in finding.what
        assert "__init__.py" in finding.hint


def test_a_module_of_the_same_name_hides_ours(ours: Path, theirs: Path) -> None:
    (theirs / "flows" / "flows_of_ours.py").write_text("")
    finding = installed.shadowed(ours, [str(theirs), str(ours)])
    assert (finding.status, "flows.flows_of_ours" in finding.what) == (Status.FAIL, True)
    (theirs / "flows.py").write_text("")
    assert installed.shadowed(ours, [str(theirs), str(ours)]).status is Status.FAIL


def test_nothing_of_ours_on_the_path_is_told_too(ours: Path, theirs: Path) -> None:
    finding = installed.shadowed(ours, [str(theirs)])
    assert (finding.status, "leads to nothing" in finding.what) == (Status.FAIL, True)


def test_the_folder_that_a_worker_would_be_started_in_counts(monkeypatch: pytest.MonkeyPatch, theirs: Path) -> None:
    monkeypatch.chdir(theirs)
    assert installed.import_path(SESSION).status is Status.OK
    (theirs / "flows" / "__init__.py").write_text("")
    assert installed.import_path(SESSION).status is Status.FAIL
