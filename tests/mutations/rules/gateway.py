"""Gateway: compare and swap, the proxy's own acknowledgement, and a folder that is the gateway's alone."""

from tests.mutations.mutation import Mutation, memory, process

EXECUTE, FILES, ROUTES, TRAEFIK = (
    "deployer/rollout/execute.py",
    "deployer/gateways/traefik_files.py",
    "deployer/gateways/traefik_routes.py",
    "deployer/gateways/traefik.py",
)
ACKNOWLEDGE = "self._gateway.acknowledge(view.server, view.route.tag, ACKNOWLEDGED_WITHIN_S)"
PROCESS_TESTS, TRAEFIK_TESTS = "tests/gateways/test_traefik_process.py", "tests/gateways/test_traefik.py"
ACCESS_TESTS = "tests/gateways/test_access.py"

MUTATIONS = (
    Mutation(
        rule="A write compares and swaps on the tag that was seen.",
        file="deployer/gateways/swap.py",
        old="    if present.tag != seen:",
        new="    if False:",
        seen_by=memory("34_a_gateway_changes"),
    ),
    Mutation(
        rule="Each write makes another tag.",
        file=ROUTES,
        old='"nonce": secrets.token_hex(8)',
        new='"nonce": ""',
        seen_by=("tests/gateways/test_traefik_routes.py::test_the_same_route_has_another_tag_each_time",),
    ),
    Mutation(
        rule="A write is under flock.",
        file="deployer/gateways/files.py",
        old="if not locks.exclusive(file.fileno(), deadline_s):",
        new="if False:",
        seen_by=("tests/gateways/test_traefik_route_files.py::test_who_writes_waits_for_whoever_is_writing",),
    ),
    Mutation(
        rule="Acknowledged is what the proxy's own router says.",
        file=TRAEFIK,
        old="while not self._routes_by(server, tag):",
        new="while False:",
        seen_by=("tests/gateways/test_traefik.py::test_from_the_acknowledgement_on_every_answer_is_the_new_revisions",),
    ),
    Mutation(
        rule="Acknowledged is a service whose name carries the tag.",
        file=TRAEFIK,
        old="return router.enabled and router.service == service_of(server, tag)",
        new="return router.enabled",
        seen_by=process("15_at_full_speed"),
    ),
    Mutation(
        rule="The path rule ends in a slash.",
        file=ROUTES,
        old="PathPrefix(`/{server}/`)",
        new="PathPrefix(`/{server}`)",
        seen_by=(f"{TRAEFIK_TESTS}::test_a_server_catches_nothing_of_one_whose_name_begins_alike",),
    ),
    Mutation(
        rule="Temporary files lie outside the folder that the proxy watches.",
        file=FILES,
        old="replace_file(self.path(server), text, self._scratch)",
        new="replace_file(self.path(server), text, self.watched)",
        seen_by=(
            "tests/gateways/test_traefik_route_files.py::test_nothing_but_whole_routes_ever_lies_in_the_folder_that_the_proxy_watches",
        ),
    ),
    Mutation(
        rule="A route is written whole or not at all.",
        file="deployer/processes/files.py",
        old="os.replace(temporary, path)",
        new="path.write_text(text)",
        seen_by=(
            "tests/gateways/test_traefik_route_files.py::test_who_reads_a_route_while_it_is_replaced_reads_the_old_one_whole",
        ),
    ),
    Mutation(
        rule="What does not load is set aside before the proxy is started.",
        file=TRAEFIK,
        old="self._files.tidy()",
        new="pass",
        seen_by=(f"{PROCESS_TESTS}::test_files_that_are_not_ours_are_set_aside_before_it_starts",),
    ),
    Mutation(
        rule="A missing acknowledgement names the file.",
        file=TRAEFIK,
        old='suspects = [f"{path} is not as the gateway writes it" for path in self._files.unloadable()]',
        new="suspects: list[str] = []",
        seen_by=(f"{TRAEFIK_TESTS}::test_a_file_that_keeps_routes_from_loading_is_named",),
    ),
    Mutation(
        rule="A stopped server keeps its router.",
        file=ROUTES,
        old="serving = [backend for backend in split if backend.address]",
        new="serving = list(split)",
        seen_by=process("08_a_stopped_server"),
    ),
    Mutation(
        rule="Every answer carries the revision.",
        file=ROUTES,
        old="if stamp := _revision_to_stamp(route.split):",
        new="if stamp := 0:",
        seen_by=process(2),
    ),
    Mutation(
        rule="Whoever stops a workload waits the whole drain.",
        file=EXECUTE,
        old="time.sleep(observed.drain.drain_s)",
        new="pass",
        seen_by=memory("15_the_old_revision_runs_on"),
    ),
    Mutation(
        rule="Whoever stops a workload acknowledges first.",
        file=EXECUTE,
        old='drained.\n        """\n        ' + ACKNOWLEDGE,
        new='drained.\n        """\n        pass',
        seen_by=memory(15, 31),
    ),
    Mutation(
        rule="What came back to serve while it drained is not stopped.",
        file=EXECUTE,
        old="if view.serves(observed):",
        new="if False:",
        seen_by=(
            "tests/rollout/test_lifecycle.py::test_what_is_asked_for_during_the_drain_of_a_stop_serves_on",
            "tests/rollout/test_recreate.py::test_what_is_back_before_its_drain_is_over_is_not_stopped",
        ),
    ),
    Mutation(
        rule="Superseded servers go once the new route is acknowledged.",
        file=EXECUTE,
        old="assert step.superseded\n        " + ACKNOWLEDGE,
        new="assert step.superseded\n        pass",
        seen_by=memory("31_a_gateway_that_goes_down_during_a_deploy_loses_no_server"),
    ),
    Mutation(
        rule="What served is retired, not only stopped: route before stop.",
        file="deployer/rollout/plan.py",
        old="never_served = o.refused and o.revision > _highest_serving(view)",
        new="never_served = True",
        seen_by=memory("15_the_old_revision_runs_on"),
    ),
    Mutation(
        rule="The gateway is there before anything is created.",
        file="deployer/rollout/deploy.py",
        old="        self._gateway.ensure()",
        new="        pass",
        seen_by=memory("31_without_its_gateway"),
    ),
    Mutation(
        rule="The gateway is there before a stopped server is marked running.",
        file="deployer/rollout/lifecycle.py",
        old="        self._gateway.ensure()",
        new="        pass",
        seen_by=memory("31_a_stopped_server_stays_stopped"),
    ),
    Mutation(
        rule="The port of the URLs is kept.",
        file="deployer/gateways/traefik_process.py",
        old="kept = self._asked.port or (served.port if served else 0)",
        new="kept = self._asked.port or 0",
        seen_by=(
            "tests/gateways/test_traefik_down.py::test_a_stranger_on_the_port_of_its_urls_is_named_and_the_urls_stay",
        ),
    ),
    Mutation(
        rule="What a gateway's folder refuses just now may be asked for again.",
        file="deployer/gateways/files.py",
        old="if passes(error):",
        new="if False:",
        seen_by=("tests/gateways/test_passing_errors.py",),
    ),
    Mutation(
        rule="A port that cannot be read just now is not chosen anew.",
        file="deployer/gateways/traefik_settings.py",
        old="if passes(error):",
        new="if False:",
        seen_by=("tests/gateways/test_passing_errors.py",),
    ),
    Mutation(
        rule="A proxy that cannot be ended is told.",
        file="deployer/gateways/traefik_lost.py",
        old="with contextlib.suppress(psutil.Error):",
        new="with contextlib.suppress(psutil.NoSuchProcess):",
        seen_by=(f"{PROCESS_TESTS}::test_where_its_folder_was_erased_and_it_cannot_be_ended_it_is_named",),
    ),
    Mutation(
        rule="Every route asks for the gateway's token, if not for one of its own.",
        file=ROUTES,
        old="*([] if access else [traefik_access.MIDDLEWARE]), ",
        new="",
        seen_by=(f"{ACCESS_TESTS}::test_only_who_shows_the_token_is_answered",),
    ),
    Mutation(
        rule="Once ensured, the proxy itself asks for the token that is given.",
        file=TRAEFIK,
        old="while (wanted := self._files.access) and self._admin().access() != wanted:",
        new="while False:",
        seen_by=(f"{ACCESS_TESTS}::test_a_changed_token_is_asked_for_from_the_next_ensure_on",),
    ),
    Mutation(
        rule="Other machines are let in only with a token.",
        file=TRAEFIK,
        old="if not (access or self._serves_this_machine_alone or self._files.access):",
        new="if False:",
        seen_by=(f"{ACCESS_TESTS}::test_other_machines_are_served_only_with_a_token",),
    ),
    Mutation(
        rule="Who writes a route lets nobody in.",
        file=FILES,
        old='self.make_folders()\n        with storage(f"write the route',
        new='self.keep_up(None, None, open_at_first=True)\n        with storage(f"write the route',
        seen_by=(f"{ACCESS_TESTS}::test_where_the_file_that_asks_for_a_token_is_lost_who_knows_none_lets_nobody_in",),
    ),
    Mutation(
        rule="Nothing is written that lets somebody in before it is known whether it may be.",
        file=TRAEFIK,
        old="self._require_a_token(access)\n        self._files.keep_up(",
        new="self._files.keep_up(access, None, open_at_first=True); self._require_a_token(access)\n"
        "        self._files.keep_up(",
        seen_by=(f"{ACCESS_TESTS}::test_where_the_file_that_asks_for_a_token_is_lost_who_knows_none_lets_nobody_in",),
    ),
    Mutation(
        rule="Who knows no token leaves the one that is asked for.",
        file=TRAEFIK,
        old="access = traefik_access.entry_of(self._token()) if self._token else None",
        new='access = traefik_access.entry_of(self._token()) if self._token else ""',
        seen_by=(f"{ACCESS_TESTS}::test_who_knows_no_token_leaves_the_one_that_is_asked_for",),
    ),
)
