import pytest

from deployer.errors import NothingToRollBackTo
from deployer.records.history import entry_of, merged, rollback_target
from deployer.records.record import HISTORY_LENGTH, HistoryEntry, Outcome
from tests.support.worlds import record

SERVED, REFUSED, PENDING = Outcome.SERVED, Outcome.REFUSED, Outcome.PENDING


def entry(number: int, outcome: Outcome = SERVED, origin: int | None = None) -> HistoryEntry:
    made = entry_of(record(number), outcome, "")
    return made.model_copy(update={"origin": origin or number})


def target(history: list[HistoryEntry], revision: int | None = None) -> int:
    return rollback_target(history, history[-1].origin, "churn", revision).number


def test_it_is_the_newest_that_served_before() -> None:
    assert target([entry(1), entry(2), entry(3)]) == 2


def test_twice_in_a_row_goes_back_two() -> None:
    once = [entry(1), entry(2), entry(3), entry(4, origin=2)]
    assert target(once) == 1
    with pytest.raises(NothingToRollBackTo):
        target([*once, entry(5, origin=1)])


def test_after_a_deploy_upon_a_rollback_it_is_what_that_rollback_made() -> None:
    assert target([entry(1), entry(2), entry(3, origin=1), entry(4)]) == 3


def test_what_never_served_is_passed_over() -> None:
    assert target([entry(1), entry(2, REFUSED), entry(3, PENDING), entry(4)]) == 1


def test_one_that_is_named_is_taken_whatever_became_of_it() -> None:
    history = [entry(1), entry(2, REFUSED), entry(3)]
    assert [target(history, number) for number in (1, 2, 3)] == [1, 2, 3]


def test_one_that_is_not_remembered_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(NothingToRollBackTo, match="no revision 9") as error:
        target([entry(1), entry(2)], 9)
    assert "1, 2" in error.value.hint


def test_a_first_revision_has_nothing_before_it() -> None:
    with pytest.raises(NothingToRollBackTo, match="churn has no earlier revision") as error:
        target([entry(1)])
    assert "deploy another model" in error.value.hint


def test_what_is_seen_outranks_what_was_remembered() -> None:
    assert merged([entry(1, PENDING)], [entry(1, SERVED)]) == (entry(1, SERVED),)


def test_the_newest_ten_are_kept_oldest_first() -> None:
    numbered = [entry(1).model_copy(update={"number": number}) for number in range(1, 15)]
    kept = merged(numbered[::-1], [])
    assert [e.number for e in kept] == list(range(5, 15)) and len(kept) == HISTORY_LENGTH
