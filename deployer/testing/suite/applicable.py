"""Which scenarios a flavor's nature excludes, and why; the whole list."""

from deployer.testing.harness import Trait

ITS_OWN = "nobody but its own engine can put anything on its platform"
KILLED_ALIKE = "whoever kills a deployer there kills the platform with it"
NO_RECORD_ON_DISK = "its records are on no disk"
ONLY_ROOT_ON_LINUX = "only root, on Linux, can mount a disk that is small enough to be filled"
ITS_ENGINES_DISK = "its records are on its engine's disk, which a test of the flavor's own fills"
BYTES_STAY = "what it runs has a copy of its model of its own, which goes with nothing that a deployer keeps"
NO_ADDRESS = "nobody can answer there in the place of another"
NO_MEMORY_OF_SILENCE = "nobody remembers there since when something does not answer, so a config may not ask for it"
NO_NUMBERS = "nothing has a number there that somebody else could get"
NO_CHOSEN_NUMBERS = "only root, on Linux, can have a pid given out again at once"
WITH_REAL_SIGNALS = (
    "test_25_a_deployer_killed_for_real_at_a_call_of_a_replace_fails_no_request",
    "test_25_a_deployer_killed_for_real_in_any_operation_leaves_what_reconcile_ends",
    "test_34_a_deployer_frozen_for_real_at_a_call_of_a_replace_fails_no_request",
    "test_34_a_deployer_frozen_for_real_in_any_operation_comes_to_its_end_beside_a_reconcile",
    "test_34_a_deployer_frozen_for_real_while_another_replaces_is_told_and_fails_no_request",
)
WITH_A_FULL_DISK = (
    "test_32_a_disk_full_during_a_replace_leaves_the_old_revision_as_it_is",
    "test_32_a_refusal_that_a_full_disk_cuts_short_is_completed_when_there_is_room",
    "test_32_a_disk_full_during_a_first_deploy_leaves_nothing_that_stays",
    "test_32_a_stop_that_cannot_be_written_down_stops_nothing",
    "test_32_what_stands_on_a_disk_that_takes_no_more_files_can_be_looked_at",
)
OF_WHAT_HANGS = (
    "test_28_what_hangs_for_longer_than_its_config_allows_is_restarted",
    "test_28_what_hangs_is_not_restarted_before_its_time_to_start_is_over",
    "test_28_what_answers_again_was_never_silent",
    "test_34_what_is_to_be_killed_is_asked_once_more",
    "test_34_what_has_not_been_silent_for_so_long_is_not_killed",
)
NOT_APPLICABLE: dict[tuple[str, Trait], str] = {
    ("test_15_slow_requests_in_flight_finish", Trait.REQUESTS_TAKE_NO_TIME): "none is ever in flight",
    ("test_29_a_recycled_pid_is_never_signalled", Trait.NO_PIDS): NO_NUMBERS,
    ("test_29_a_recycled_pid_is_never_signalled", Trait.NO_CHOSEN_PIDS): NO_CHOSEN_NUMBERS,
    ("test_16_what_has_not_come_to_listen_is_not_ready_because_a_stranger_answers", Trait.NO_PORTS): NO_ADDRESS,
    ("test_28_what_ended_since_it_was_seen_is_not_ready_because_a_stranger_answers", Trait.NO_PORTS): NO_ADDRESS,
    ("test_24_all_goes_on_beside_strangers_which_are_named_and_never_touched", Trait.NO_STRANGERS): ITS_OWN,
    ("test_24_a_server_that_only_a_newer_library_can_read_keeps_its_route_and_its_name", Trait.NO_STRANGERS): ITS_OWN,
    ("test_24_a_stranger_in_the_place_of_the_next_revision_is_named_and_nothing_is_lost", Trait.NO_STRANGERS): ITS_OWN,
    **{(test, Trait.ONE_PROCESS): KILLED_ALIKE for test in WITH_REAL_SIGNALS},
    **{(test, Trait.SILENCE_IS_FORGOTTEN): NO_MEMORY_OF_SILENCE for test in OF_WHAT_HANGS},
    **{(test, Trait.NO_DISK): NO_RECORD_ON_DISK for test in WITH_A_FULL_DISK},
    **{(test, Trait.DISK_OF_THE_ENGINE): ITS_ENGINES_DISK for test in WITH_A_FULL_DISK},
    ("test_20_what_dies_when_its_uri_holds_another_model_is_not_started_with_that", Trait.BYTES_STAY): BYTES_STAY,
    **{(test, Trait.NO_SMALL_DISK): ONLY_ROOT_ON_LINUX for test in WITH_A_FULL_DISK},
}
"""By the scenario's test and the trait."""


def reason(test: str, traits: frozenset[Trait]) -> str:
    """Why a scenario cannot be had with these traits; empty where it can."""
    reasons = (f"{t}: {NOT_APPLICABLE[test, t]}" for t in sorted(traits) if (test, t) in NOT_APPLICABLE)
    return "; ".join(reasons)
