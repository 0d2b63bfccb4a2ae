import re
from typing import Any

import pytest
from pydantic import ValidationError

from deployer.config import MAX_CONFIG_BYTES, ModelServerConfig, Provenance


def config(**fields: Any) -> ModelServerConfig:
    return ModelServerConfig(**({"model_uri": "models/churn", "model_name": "churn"} | fields))


def refused(**fields: Any) -> str:
    """What the error says."""
    with pytest.raises(ValidationError) as error:
        config(**fields)
    return str(error.value)


def test_two_fields_are_enough() -> None:
    made = config()
    assert (made.runtime, made.rollout, made.replicas, made.name) == ("mlflow", "replace", 1, "")
    assert (made.probes, made.drain, made.provenance, made.command) == (None, None, None, None)


def test_one_of_the_two_names_must_be_given() -> None:
    said = refused(model_name="")
    assert "`name`" in said and "`model_name`" in said
    assert config(model_name="", name="main").name == "main"


@pytest.mark.parametrize("field", ["name", "model_name", "model_uri", "model_type"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (" churn", "blanks at the start or the end"),
        ("churn\t", "blanks at the start or the end"),
        ("a\nb", "control characters"),
        ("a\x00b", "control characters"),
        ("a\x85b", "control characters"),
    ],
)
def test_texts_that_nobody_could_find_again_are_refused(field: str, value: str, said: str) -> None:
    assert said in refused(**{field: value})


@pytest.mark.parametrize("value", ["with spaces", "with/slash", "UPPER", "größe 模型 🙂", "c" * 255, "-", ".."])
def test_other_texts_are_names(value: str) -> None:
    assert config(name=value).name == value


def test_two_writings_of_one_unicode_name_become_one() -> None:
    assert config(name="gro\u0308\u00dfe") == config(name="gr\u00f6\u00dfe")


def test_a_model_uri_must_be_given() -> None:
    assert "model_uri" in refused(model_uri="")
    with pytest.raises(ValidationError, match="model_uri"):
        ModelServerConfig.model_validate({"model_name": "churn"})


@pytest.mark.parametrize("fields", [{"modelname": "x"}, {"probes": {"settle": 1}}, {"drain": {"s": 1}}])
def test_unknown_fields_are_errors(fields: dict[str, Any]) -> None:
    assert "Extra inputs are not permitted" in refused(**fields)


@pytest.mark.parametrize("rollout", ["canary", "shadow", ""])
def test_rollouts_that_nothing_serves_yet_are_unknown(rollout: str) -> None:
    assert "rollout" in refused(rollout=rollout)


def test_a_form_says_which_rollout_causes_an_outage() -> None:
    rollout = ModelServerConfig.model_json_schema()["properties"]["rollout"]
    assert (rollout["title"], rollout["enum"], rollout["default"]) == ("Rollout", ["replace", "recreate"], "replace")
    assert "recreate: the old one is stopped first" in rollout["description"] and "outage" in rollout["description"]


@pytest.mark.parametrize(
    "fields",
    [
        {"replicas": 0},
        {"probes": {"startup_s": 0}},
        {"probes": {"startup_s": float("inf")}},
        {"drain": {"drain_s": float("inf")}},
        {"probes": {"settle_s": -1}},
        {"probes": {"timeout_s": 0}},
        {"drain": {"drain_s": -1}},
        {"drain": {"grace_s": -1}},
        {"command": {"line": "serve", "readiness_path": "ping"}},
        {"command": {"line": "serve", "prediction_path": "predict"}},
    ],
)
def test_numbers_and_paths_out_of_range_name_their_field(fields: dict[str, Any]) -> None:
    ((section, value),) = fields.items()
    said = refused(**fields)
    assert section in said and (not isinstance(value, dict) or list(value)[-1] in said)


def test_no_settling_and_no_draining_are_allowed() -> None:
    made = config(probes={"settle_s": 0}, drain={"drain_s": 0, "grace_s": 0})
    assert made.probes and made.drain and made.probes.settle_s == made.drain.drain_s == made.drain.grace_s == 0


@pytest.mark.parametrize("section", ["env", "secrets"])
@pytest.mark.parametrize("name", ["1A", "A-B", "A B", "", "Ä", "A=B"])
def test_variables_need_names_that_a_shell_would_take(section: str, name: str) -> None:
    assert "is not the name of an environment variable" in refused(**{section: {name: "env:X"}})


def test_a_value_with_a_nul_is_refused() -> None:
    assert "NUL" in refused(env={"A": "a\0b"})


@pytest.mark.parametrize("reference", ["env:TOKEN", "file:/run/secret", "prefect:secret/db", "kubernetes:db/password"])
def test_secrets_are_references(reference: str) -> None:
    assert config(secrets={"TOKEN": reference}).secrets == {"TOKEN": reference}


@pytest.mark.parametrize("reference", ["", "env:", "env:1", "file:relative", "prefect:db", "vault:x"])
def test_other_secrets_are_refused(reference: str) -> None:
    assert "must be a reference" in refused(secrets={"TOKEN": reference})


def test_a_variable_is_given_once() -> None:
    assert "A, B: in `env` and in `secrets`" in refused(
        env={"A": "1", "B": "2", "C": "3"}, secrets={"B": "env:B", "A": "env:A"}
    )


def test_a_config_that_no_record_could_hold_is_refused_with_its_size() -> None:
    said = refused(env={"A": "x" * MAX_CONFIG_BYTES})
    assert re.search(rf"may hold {MAX_CONFIG_BYTES} bytes as JSON, this one has \d+", said)
    assert config(env={"A": "x" * (MAX_CONFIG_BYTES - 1000)})


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        config().name = "other"  # type: ignore[misc]


def test_where_it_came_from_can_be_left_out() -> None:
    made = config(provenance=Provenance(pipeline_name="train"))
    assert made.without_provenance() == config() and made.provenance


def test_it_reads_back_from_json_equal() -> None:
    made = config(env={"A": "1"}, probes={"startup_s": 3}, command={"line": "serve {port}"})
    assert ModelServerConfig.model_validate_json(made.model_dump_json()) == made


def test_every_field_has_a_title_and_a_description_for_its_form() -> None:
    schema = ModelServerConfig.model_json_schema()
    objects = [schema, *schema["$defs"].values()]
    bare = [name for o in objects for name, field in o["properties"].items() if not field.get("description")]
    assert bare == []
    assert schema["required"] == ["model_uri"]


@pytest.mark.parametrize("field", ["name", "model_name", "model_type"])
def test_a_name_holds_at_most_255_characters(field: str) -> None:
    assert len(getattr(config(**{field: "a" * 255}), field)) == 255
    assert "at most 255 characters are allowed, these are 256" in refused(**{field: "a" * 256})


def test_a_model_uri_may_be_long() -> None:
    assert ModelServerConfig(model_name="churn", model_uri="s3://bucket/" + "a" * 1000).model_uri.endswith("a" * 1000)
