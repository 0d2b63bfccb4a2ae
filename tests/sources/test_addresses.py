"""A model URI that holds credentials is refused by its text, before anybody is told of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.config import ModelServerConfig
from deployer.errors import InvalidConfig
from deployer.rollout.steps import Progress
from deployer.sources.addresses import require_no_credentials
from deployer.testing.memory import MemoryHarness

SECRET = "pl4nted"
WITH_CREDENTIALS = [
    f"http://me:{SECRET}@host/w",
    f"HTTPS://{SECRET}@host/w",
    f"https:me:{SECRET}@host/w",
    rf"https:\\me:{SECRET}@host\w",
    f"s3://key:{SECRET}@bucket/churn",
    f"gs://{SECRET}@bucket/churn",
    f"az://account:{SECRET}@container/churn",
    f"hf://me:{SECRET}@owner/churn",
    f"models://me:{SECRET}@host/1",
    f"file://me:{SECRET}@host/w",
    f"ftp://me:{SECRET}@host/w",
    f"me:{SECRET}@host",
    f"{SECRET}:x-oauth-basic@host/w",
    f"my_name:{SECRET}@host/w",
    *(
        f"https://host/w?v=1&{name}={SECRET}"
        for name in (
            "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Signature", "Signature", "sig", "token", "access_token",
            "private_token", "job_token", "api_key", "apikey", "API-Key", "password", "client_secret", "access%5Ftoken",
        )
    ),
    f"https://host/w;token={SECRET}",
    f"https://host/w#access_token={SECRET}",
    f"s3://bucket/churn?X-Amz-Signature={SECRET}",
    f"file:///w?token={SECRET}",
]  # fmt: skip


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path / "memory")


@pytest.mark.parametrize("uri", WITH_CREDENTIALS)
def test_credentials_in_a_uri_are_refused_and_neither_shown_nor_told(uri: str, harness: MemoryHarness) -> None:
    deployer, told = harness.deployer(), list[Progress]()
    deployer.on_progress = told.append
    config = harness.config("v1").model_copy(update={"model_uri": uri})
    calls: list[Callable[[], object]] = [lambda: deployer.deploy_model(config), lambda: deployer.plan(config)]
    for call in calls:
        with pytest.raises(InvalidConfig, match="holds credentials") as refused:
            call()
        assert SECRET not in str(refused.value)
        assert "`credentials`" in refused.value.hint
    assert told == []


@pytest.mark.parametrize(
    "uri",
    [
        "models/churn",
        "./me:you@home/churn?token=1",
        "/models/token=1/churn",
        "file:///models/me:you@home/churn",
        "https://host/@scope/churn@1.0.tar.gz?v=2&page=3&token=",
        "https://host:8080/w.bin#sha256=" + "0" * 64,
        "s3://bucket/churn@2026:v1/w.bin",
        "hf://owner/churn@v1/onnx",
        "hf://owner@v1",
        "models:/churn@champion",
        "models://churn@champion",
        "models:churn@champion",
        "runs:/0123456789abcdef/model@1",
    ],
)
def test_what_only_looks_like_it_is_none(uri: str) -> None:
    require_no_credentials(uri)


def test_a_stored_config_that_holds_some_still_reads(harness: MemoryHarness) -> None:
    stored = harness.config("v1").model_dump() | {"model_uri": WITH_CREDENTIALS[0]}
    assert ModelServerConfig.model_validate(stored).model_uri == WITH_CREDENTIALS[0]
