"""Processes: what may pass is tried again, and who comes too late does nothing to another of the same name."""

from tests.mutations.mutation import Mutation

ENGINE, WORKLOAD_FOLDER = (f"deployer/flavors/process/{name}.py" for name in ("engine", "folder"))
PROBING, DIRECTORY = "deployer/probing.py", "deployer/state_directory.py"
FILES, FOLDER, HELD, PARENT, STARTER = (
    f"deployer/processes/{name}.py" for name in ("files", "folder", "held", "parent", "starter")
)
ENGINE_TESTS, MEANWHILE_TESTS, PASSING_TESTS = (
    f"tests/flavors/process/test_{name}.py" for name in ("engine", "meanwhile", "passing_errors")
)
HELD_TESTS = "tests/processes/test_held.py"

MUTATIONS = (
    Mutation(
        rule="What cannot be read just now is no list without it.",
        file=ENGINE,
        old="if passes(error):",
        new="if False:",
        seen_by=(
            f"{PASSING_TESTS}::test_a_list_that_cannot_read_one_just_now_is_an_error_and_never_a_list_without_it",
        ),
    ),
    Mutation(
        rule="Whatever befalls a probe becomes its answer.",
        file=PROBING,
        old="except Exception as error:",
        new="except KeyError as error:",
        seen_by=(f"{PASSING_TESTS}::test_whatever_befalls_a_probe_becomes_its_answer_at_once",),
    ),
    Mutation(
        rule="A starter that cannot just now is asked again.",
        file=STARTER,
        old="Outcome.NOT_NOW if passes(error) else Outcome.FAILED",
        new="Outcome.FAILED",
        seen_by=(f"{HELD_TESTS}::test_a_starter_that_cannot_fork_just_now_is_asked_again",),
    ),
    Mutation(
        rule="Nonsense about the run of one hides no other.",
        file=WORKLOAD_FOLDER,
        old="except (KeyError, TypeError, ValueError, OverflowError) as error:",
        new="except ZeroDivisionError as error:",
        seen_by=(f"{ENGINE_TESTS}::test_nonsense_about_the_run_of_one_is_reported_and_hides_no_other",),
    ),
    Mutation(
        rule="Without its lock a process is not listed.",
        file=WORKLOAD_FOLDER,
        old="os.stat(self._at(files.LOCK))",
        new="pass",
        seen_by=(f"{MEANWHILE_TESTS}::test_without_its_lock_it_is_neither_listed_nor_started",),
    ),
    Mutation(
        rule="A start that comes to nothing in a folder without a lock is an error.",
        file=ENGINE,
        old="if outcome is Outcome.DELETED and folder.belongs_to(ref):",
        new="if False:",
        seen_by=(f"{MEANWHILE_TESTS}::test_without_its_lock_it_is_neither_listed_nor_started",),
    ),
    Mutation(
        rule="A start that one who looks kept off is no start.",
        file=ENGINE,
        old="if outcome is Outcome.ALREADY_RUNS and not folder.held() and folder.starts() == starts:",
        new="if False:",
        seen_by=(f"{MEANWHILE_TESTS}::test_a_start_that_is_kept_off_by_one_who_looks_is_no_start",),
    ),
    Mutation(
        rule="A start that another was faster with is done.",
        file=ENGINE,
        old=" and folder.starts() == starts:",
        new=":",
        seen_by=(
            f"{MEANWHILE_TESTS}::test_a_start_that_another_one_was_faster_with_is_done_though_it_has_ended_since",
        ),
    ),
    Mutation(
        rule="A mark that comes too late is not given to another workload of its name.",
        file=ENGINE,
        old="still=lambda: folder.belongs_to(ref) and folder.takes(wanted)",
        new="still=lambda: folder.takes(wanted)",
        seen_by=(f"{MEANWHILE_TESTS}::test_a_mark_that_comes_too_late_is_not_given_to_another_of_its_name",),
    ),
    Mutation(
        rule="What was refused stays refused.",
        file=WORKLOAD_FOLDER,
        old="return mark is Wanted.REFUSED or self.wanted()[0] is not Wanted.REFUSED",
        new="return True",
        seen_by=(f"{MEANWHILE_TESTS}::test_what_was_refused_stays_refused",),
    ),
    Mutation(
        rule="A mark looks once more just before it is made.",
        file=FILES,
        old="if still():",
        new="if True:",
        seen_by=(f"{MEANWHILE_TESTS}::test_what_is_refused_just_before_it_is_marked_stays_refused",),
    ),
    Mutation(
        rule="Who stops looks once more before each signal.",
        file=HELD,
        old="if not still():",
        new="if False:",
        seen_by=(
            f"{MEANWHILE_TESTS}::test_a_stop_whose_workload_goes_while_it_waits_does_not_end_another_of_its_name",
        ),
    ),
    Mutation(
        rule="The starter sees that the folder is the one that was read.",
        file=STARTER,
        old="return all(files.content(self._folder / name) == text.encode() for name, text in told)",
        new="return True",
        seen_by=(
            f"{MEANWHILE_TESTS}::test_a_start_that_comes_too_late_does_not_run_its_program_as_another_of_its_name",
        ),
    ),
    Mutation(
        rule="A run is forgotten only after its startup budget.",
        file=ENGINE,
        old="stable_s=max(STABLE_S, (config.probes or Probes()).startup_s)",
        new="stable_s=STABLE_S",
        seen_by=(f"{MEANWHILE_TESTS}::test_a_run_must_be_longer_than_its_startup_to_be_forgotten",),
    ),
    Mutation(
        rule="The starts of a long run are forgotten.",
        file=PARENT,
        old="if time.monotonic() - began >= stable_s:",
        new="if False:",
        seen_by=(f"{HELD_TESTS}::test_its_starts_are_forgotten_once_it_ran_for_long",),
    ),
    Mutation(
        rule="What a child of a dead process holds has an age.",
        file=FOLDER,
        old="return self._seconds_since_written(files.LOCK)",
        new="return 0.0",
        seen_by=(f"{HELD_TESTS}::test_a_server_that_went_into_the_background_ages_as_any_other",),
    ),
    Mutation(
        rule="What is starting has the age of its lock.",
        file=STARTER,
        old="os.utime(lock)",
        new="pass",
        seen_by=(f"{HELD_TESTS}::test_a_server_that_went_into_the_background_ages_as_any_other",),
    ),
    Mutation(
        rule="A creation that was swept up may be tried again.",
        file=ENGINE,
        old="except FileNotFoundError:  # Somebody has swept it up.",
        new="except ZeroDivisionError:",
        seen_by=(f"{MEANWHILE_TESTS}::test_a_creation_whose_folder_was_swept_up_may_be_tried_again",),
    ),
    Mutation(
        rule="A home that nobody has is no state directory.",
        file=DIRECTORY,
        old="except (RuntimeError, ValueError) as error:",
        new="except KeyError as error:",
        seen_by=("tests/test_state_directory.py::test_what_is_no_path_is_an_error_that_says_what_to_do",),
    ),
)
