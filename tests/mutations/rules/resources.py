"""What a server may use of its machine: never more than it was given, and no device twice."""

from tests.mutations.mutation import Mutation

RESOURCES, GPUS, ENVIRONMENT = (f"deployer/flavors/process/{name}.py" for name in ("resources", "gpus", "environment"))
CGROUP, PARENT, STARTER = (f"deployer/processes/{name}.py" for name in ("cgroup", "parent", "starter"))
ENGINE, CONFIG = "deployer/flavors/process/engine.py", "deployer/config.py"
RESOURCE_TESTS, GPU_TESTS = "tests/flavors/process/test_resources.py", "tests/flavors/process/test_gpus.py"
CGROUP_TESTS = "tests/processes/test_cgroup.py"

MUTATIONS = (
    Mutation(
        rule="Memory that cannot be limited is refused before anything is touched.",
        file=RESOURCES,
        old='if resources.memory and cgroup.delegated(["memory"]) is None:',
        new="if False:",
        seen_by=(f"{RESOURCE_TESTS}::test_memory_cannot_be_limited_and_that_is_said_before_anything_is_touched",),
    ),
    Mutation(
        rule="What has a limit on its memory is never started without one.",
        file=RESOURCES,
        old="if base is None and resources.memory:",
        new="if False:",
        seen_by=(f"{RESOURCE_TESTS}::test_what_has_a_limit_is_never_started_without_one",),
    ),
    Mutation(
        rule="A server is put into its group before it runs on its own.",
        file=STARTER,
        old="self.confined.group.join(server)",
        new="pass",
        seen_by=(f"{RESOURCE_TESTS}::test_a_server_is_in_a_group_of_its_own_with_its_limits",),
    ),
    Mutation(
        rule="A group goes with the end of its server.",
        file=PARENT,
        old="cgroup.remove(confined.group.path)",
        new="pass",
        seen_by=(f"{RESOURCE_TESTS}::test_a_group_goes_with_its_server",),
    ),
    Mutation(
        rule="A group whose parent was killed goes with the deletion of its workload.",
        file=ENGINE,
        old="cgroup.remove(Path(group))",
        new="pass",
        seen_by=(f"{RESOURCE_TESTS}::test_a_group_goes_with_its_server",),
    ),
    Mutation(
        rule="A kill for want of memory is named so.",
        file=PARENT,
        old='ended["memory"] = confined.memory',
        new="pass",
        seen_by=(f"{RESOURCE_TESTS}::test_an_end_for_want_of_memory_is_named_so",),
    ),
    Mutation(
        rule="What an earlier run was killed for is not held against the next.",
        file=CGROUP,
        old="return _oom_kills(self.path) > self.oom_kills",
        new="return _oom_kills(self.path) > 0",
        seen_by=(f"{CGROUP_TESTS}::test_what_an_earlier_run_wanted_of_memory_is_not_held_against_this_one",),
    ),
    Mutation(
        rule="Only a group that was delegated is used, though root may write everywhere, and a user in a session.",
        file=CGROUP,
        old="return base if _is_ours(base, _mount(proc)) else None",
        new="return base",
        seen_by=(f"{CGROUP_TESTS}::test_one_that_nobody_left_to_us_is_none_though_we_may_write_there",),
    ),
    Mutation(
        rule="Whatever runs in a delegated group goes to a leaf.",
        file=CGROUP,
        old="        _move_to_leaf(base)",
        new="        pass",
        seen_by=(f"{CGROUP_TESTS}::test_whatever_runs_in_it_goes_to_a_leaf_so_that_groups_below_may_have_limits",),
    ),
    Mutation(
        rule="A deployer in the leaf makes groups beside it, not below.",
        file=CGROUP,
        old="base = own.parent if own and own.name == LEAF else own",
        new="base = own",
        seen_by=(f"{CGROUP_TESTS}::test_a_deployer_in_the_leaf_finds_the_same",),
    ),
    Mutation(
        rule="Without a group a server is kept to as many CPUs as it may keep busy.",
        file=STARTER,
        old="os.sched_setaffinity(0, self._room.cpus)",
        new="pass",
        seen_by=(f"{RESOURCE_TESTS}::test_a_server_runs_on_as_many_cpus_as_it_may_keep_busy",),
    ),
    Mutation(
        rule="Servers are spread over the CPUs.",
        file=RESOURCES,
        old="key=lambda cpu: taken[cpu]",
        new="key=lambda cpu: 0",
        seen_by=(f"{RESOURCE_TESTS}::test_a_second_server_gets_the_cpu_that_fewest_have",),
    ),
    Mutation(
        rule="Thread counts of the config stay.",
        file=ENVIRONMENT,
        old="return {**of_machine, **launch.env, **config.env, **secrets, **given, **own}, filled",
        new="return {**launch.env, **config.env, **secrets, **of_machine, **given, **own}, filled",
        seen_by=(f"{RESOURCE_TESTS}::test_thread_counts_of_the_config_stay",),
    ),
    Mutation(
        rule="A GPU is given to one server at a time.",
        file=GPUS,
        old="device for device in there if device not in taken), key",
        new="device for device in there), key",
        seen_by=(f"{GPU_TESTS}::test_each_server_has_a_device_of_its_own",),
    ),
    Mutation(
        rule="Nobody else is given a GPU while one is being given.",
        file=RESOURCES,
        old="if not locks.exclusive(guard, GUARDED_FOR_S):",
        new="if False:",
        seen_by=(f"{GPU_TESTS}::test_who_waits_too_long_for_another_deployer_may_try_again",),
    ),
    Mutation(
        rule="Nor before the server runs, though whoever asked has died.",
        file="deployer/processes/held.py",
        old="pass_fds=[told.guard] if told.guard >= 0 else [],",
        new="pass_fds=[],",
        seen_by=(f"{GPU_TESTS}::test_nobody_else_is_given_any_before_it_runs_though_its_deployer_dies_meanwhile",),
    ),
    Mutation(
        rule="The guard is let go of once the server runs.",
        file=STARTER,
        old="os.close(instructions.guard)",
        new="pass",
        seen_by=(f"{GPU_TESTS}::test_nobody_else_is_given_any_before_it_runs_though_its_deployer_dies_meanwhile",),
    ),
    Mutation(
        rule="What does not run has no GPU: a recreate frees that of the old revision.",
        file=RESOURCES,
        old="if other.folder != folder.folder and other.held())",
        new="if other.folder != folder.folder)",
        seen_by=(f"{GPU_TESTS}::test_what_a_server_had_is_free_once_it_ended",),
    ),
    Mutation(
        rule="Whoever comes back gets the GPU that it had, if that is free.",
        file=GPUS,
        old="key=lambda device: device not in before",
        new="key=lambda device: True",
        seen_by=(f"{GPU_TESTS}::test_a_server_that_is_brought_back_has_what_it_had",),
    ),
    Mutation(
        rule="All deployers know a GPU by one name.",
        file=GPUS,
        old="found = _of(all_there_are, token) if all_there_are else token",
        new="found = token",
        seen_by=(f"{GPU_TESTS}::test_a_deployer_gives_what_it_sees_itself_by_names_that_all_share",),
    ),
    Mutation(
        rule="More GPUs than there are is refused before anything is touched.",
        file=RESOURCES,
        old="if resources.gpu and resources.gpu > (there := len(devices())):",
        new="if (there := 0) > 1:",
        seen_by=(f"{GPU_TESTS}::test_more_than_there_are_is_refused_before_anything_is_touched",),
    ),
    Mutation(
        rule="Whoever asks for GPUs does not name them too.",
        file=CONFIG,
        old="if self.resources and self.resources.gpu and GPUS_SEEN in self.env.keys() | self.secrets.keys():",
        new="if False:",
        seen_by=(f"{GPU_TESTS}::test_whoever_asks_for_gpus_does_not_name_them",),
    ),
    Mutation(
        rule="A flavor that limits nothing refuses resources.",
        file="deployer/flavor.py",
        old="            self.check_resources(config.resources)",
        new="            pass",
        seen_by=(f"{RESOURCE_TESTS}::test_a_flavor_that_limits_nothing_refuses_resources",),
    ),
)
