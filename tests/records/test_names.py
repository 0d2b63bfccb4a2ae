import re

import pytest

from deployer.records.names import next_free, platform_name, workload_name

PLATFORM = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
HASHED = re.compile(r"[a-z][a-z0-9-]*-[0-9a-f]{8}")
SHARED = "s" * 63


@pytest.mark.parametrize(
    "name", ["a", "churn", "churn-2", "a" * 40, "r5", "churn-r", "churn-deadbee", "churn-deadbeef0"]
)
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert platform_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["churn-r5", "churn-r12", "churn-deadbeef", "churn-00000000", "a" * 41, "churn-", "-churn", "5churn", "a_b", "A"],
)
def test_a_name_that_could_be_mistaken_or_does_not_fit_gets_a_hash(name: str) -> None:
    assert HASHED.fullmatch(platform_name(name)) and platform_name(name) != name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Größe Modell", "groe-modell"),
        ("with spaces/and slashes", "with-spaces-and-slashes"),
        ("模型", "model"),
        ("..", "model"),
        ("2025 churn", "churn"),
        ("x" * 255, "x" * 40),
    ],
)
def test_the_slug_is_what_a_person_would_recognise(name: str, slug: str) -> None:
    assert platform_name(name)[:-9] == slug


def test_every_name_fits_a_label_of_63_characters_with_its_revision() -> None:
    for name in ("a", "a" * 40, "A" * 255, "ü" * 255, "🙂" * 255, "-" * 255):
        server = platform_name(name)
        assert PLATFORM.fullmatch(server) and len(workload_name(server, 99_999_999)) <= 63


def test_names_that_differ_behind_what_they_share_stay_apart() -> None:
    names = [SHARED + "a", SHARED + "b", "Churn", "churn", "CHURN", "a b", "a/b", "a  b", "churn-r5", "churn-r-5"]
    assert len({platform_name(name) for name in names}) == len(names)


def test_two_writings_of_one_unicode_name_are_one() -> None:
    assert platform_name("Gro\u0308\u00dfe") == platform_name("Gr\u00f6\u00dfe")


def test_no_servers_name_is_another_ones_workload() -> None:
    assert workload_name("churn", 5) == "churn-r5"
    assert platform_name("churn-r5") != "churn-r5"


def test_the_next_free_name_counts_on_from_two() -> None:
    assert next_free("churn", []) == "churn"
    assert next_free("churn", ["churn"]) == "churn-2"
    assert next_free("churn", ["churn", "churn-2", "churn-4"]) == "churn-3"
