from pathlib import Path

import pytest

from tests.environments.packages import wheel


@pytest.fixture(autouse=True)
def nothing_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv keeps a lock where it would keep logins."""
    monkeypatch.setenv("UV_CREDENTIALS_DIR", str(tmp_path / "logins"))


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip is told to look in, and nowhere else: tiny 1.0 and 2.0 are there."""
    folder = tmp_path / "packages"
    for version in ("1.0", "2.0"):
        wheel(folder, "tiny", version)
    monkeypatch.setenv("PIP_FIND_LINKS", f"{folder} {tmp_path}/not-there")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"
