"""What hangs: restarted if its config says so, on nobody's old word."""

from tests.mutations.mutation import Mutation, memory

PLAN = "deployer/rollout/plan.py"
ENGINE, FOLDER, STARTER = (
    f"deployer/{name}.py" for name in ("flavors/process/engine", "processes/folder", "processes/starter")
)
MEMORY_ENGINE = "deployer/flavors/memory/engine.py"
PLAN_TESTS, ROLLOUT_TESTS, PROCESS_TESTS = (
    f"tests/{name}.py" for name in ("rollout/test_plan", "rollout/test_hanging", "flavors/process/test_hanging")
)

MUTATIONS = (
    Mutation(
        rule="That something hangs is noted where it is to be restarted.",
        file=PLAN,
        old='yield _step(Action.NOTE_SILENCE, o, "it runs and does not answer")',
        new="pass",
        seen_by=memory("28_what_hangs_for_longer"),
    ),
    Mutation(
        rule="What hangs for longer than its config allows is killed.",
        file=PLAN,
        old='yield _step(Action.KILL, o, f"it has not answered for {limit_s:g} s")',
        new="pass",
        seen_by=memory("28_what_hangs_for_longer"),
    ),
    Mutation(
        rule="What hangs no longer than its config allows is left alone.",
        file=PLAN,
        old="silent_s >= limit_s and o.workload.age_s",
        new="o.workload.age_s",
        seen_by=(f"{PLAN_TESTS}::test_that_a_server_hangs_is_noted_where_it_is_to_be_restarted",),
    ),
    Mutation(
        rule="What hangs within its startup budget may be loading.",
        file=PLAN,
        old="silent_s >= limit_s and o.workload.age_s > o.probes.startup_s:",
        new="silent_s >= limit_s:",
        seen_by=memory("28_what_hangs_is_not_restarted_before"),
    ),
    Mutation(
        rule="What hangs is left alone where its config does not say otherwise.",
        file=PLAN,
        old="elif o.probes.restart_hung_s:",
        new="else:",
        seen_by=memory("28_what_hangs_is_left_alone"),
    ),
    Mutation(
        rule="What answers again is silent no more.",
        file=PLAN,
        old='yield _step(Action.FORGET_SILENCE, o, "it answers again")',
        new="pass",
        seen_by=memory("28_what_answers_again"),
    ),
    Mutation(
        rule="What is to be killed is asked once more, in memory.",
        file=MEMORY_ENGINE,
        old="if stored.run.readiness().health is Health.SILENT:",
        new="if True:",
        seen_by=memory("34_what_is_to_be_killed"),
    ),
    Mutation(
        rule="What is to be killed is asked once more, as a process.",
        file=ENGINE,
        old="if Prober(folder).ask(folder.workload(), LAST_QUESTION_S).health is Health.SILENT:",
        new="if True:",
        seen_by=(f"{PROCESS_TESTS}::test_what_comes_to_answer_in_the_last_moment_is_left_alone_and_noted",),
    ),
    Mutation(
        rule="What answers when it is asked once more is noted so, or it would be asked without end.",
        file=ENGINE,
        old="folder.note_silence(False)",
        new="pass",
        seen_by=(f"{PROCESS_TESTS}::test_what_comes_to_answer_in_the_last_moment_is_left_alone_and_noted",),
    ),
    Mutation(
        rule="The run that was asked is killed, and none that came after it.",
        file=ENGINE,
        old="folder.belongs_to(ref) and folder.identity() == run)",
        new="folder.belongs_to(ref))",
        seen_by=(f"{PROCESS_TESTS}::test_a_run_that_came_after_the_last_question_is_left_alone",),
    ),
    Mutation(
        rule="It is killed only if it was silent for so long.",
        file=MEMORY_ENGINE,
        old="noted is None or noted < silent_s:",
        new="noted is None:",
        seen_by=memory("34_what_has_not_been_silent"),
    ),
    Mutation(
        rule="A start forgets the silence of the run before.",
        file=STARTER,
        old="for name in (files.ENDED, files.SILENT):",
        new="for name in (files.ENDED,):",
        seen_by=(f"{PROCESS_TESTS}::test_a_start_forgets_it",),
    ),
    Mutation(
        rule="A restart of the machine forgets who was silent.",
        file=FOLDER,
        old='return max(0.0, uptime_s() - noted["at"]) if noted.get("boot") == boot_id() else None',
        new='return max(0.0, uptime_s() - noted["at"]) if noted else None',
        seen_by=(f"{PROCESS_TESTS}::test_a_restart_of_the_machine_forgets_it",),
    ),
    Mutation(
        rule="It is silent since it was first noted.",
        file=FOLDER,
        old="elif self.silent_s() is None:",
        new="else:",
        seen_by=(f"{PROCESS_TESTS}::test_it_is_silent_since_it_was_first_noted",),
    ),
    Mutation(
        rule="A flavor that cannot restart what hangs refuses a config that asks for it.",
        file="deployer/capabilities.py",
        old="if config.probes and config.probes.restart_hung_s and not isinstance(engine, RemembersSilence):",
        new="if False:",
        seen_by=(f"{ROLLOUT_TESTS}::test_a_flavor_that_remembers_no_silence_refuses_to_restart_what_hangs",),
    ),
)
