"""What is lost beside the records, what others put there, and what there is no room for."""

from tests.mutations.mutation import Mutation, memory, process

CLAIM, PLAN = "deployer/rollout/claim.py", "deployer/rollout/plan.py"
GATEWAY, PROXY = "deployer/gateways/traefik.py", "deployer/gateways/traefik_process.py"
UNREADABLE, PROXIES = "tests/rollout/test_unreadable.py::test_", "tests/gateways/test_traefik_process.py::test_"

MUTATIONS = (
    Mutation(
        rule="Bytes that are gone come from the URI again.",
        file="deployer/rollout/execute.py",
        old="self._fetch_again(observed.workload.record)",
        new="raise",
        seen_by=memory("20_what_dies_without"),
    ),
    Mutation(
        rule="They have no longer to come than whoever starts the server allows.",
        file="deployer/engine_deployer.py",
        old="fetch_again, deadline=deadline.to_prepare)",
        new="fetch_again, deadline=Deadline(0).to_prepare)",
        seen_by=(
            "tests/sources/test_deploys.py::test_a_start_that_has_to_fetch_again_takes_no_longer_than_it_is_allowed",
        ),
    ),
    Mutation(
        rule="Only if the URI still holds the same are they taken from it.",
        file="deployer/prepare.py",
        old="if found != digest:",
        new="if False:",
        seen_by=memory("20_what_dies_when"),
    ),
    Mutation(
        rule="A stopped server whose route was lost answers 503 again.",
        file=PLAN,
        old="if not view.route.tag:",
        new="if False:",
        seen_by=memory("20_the_registry"),
    ),
    Mutation(
        rule="A proxy whose folder was erased is ended.",
        file=PROXY,
        old="lost.end()",
        new="pass",
        seen_by=process("20_the_registry"),
    ),
    Mutation(
        rule="What comes in its place has its port.",
        file=PROXY,
        old="served = served or lost.address()",
        new="pass",
        seen_by=(f"{PROXIES}where_its_folder_was_erased_it_is_started_anew_on_the_same_port",),
    ),
    Mutation(
        rule="A proxy whose routes were erased is started anew.",
        file=GATEWAY,
        old="if self._files.are_watched and self._proxy.answers():",
        new="if self._proxy.answers():",
        seen_by=(f"{PROXIES}where_only_its_routes_were_erased_it_is_started_anew_too",),
    ),
    Mutation(
        rule="A proxy of the same path that has its folder is another container's.",
        file="deployer/gateways/traefik_lost.py",
        old='return os.stat(f"/proc/{pid}/cwd").st_nlink == 0',
        new="return True",
        seen_by=(f"{PROXIES}a_proxy_of_the_same_path_that_has_its_folder_is_another_containers",),
    ),
    Mutation(
        rule="All servers are listed.",
        file="deployer/engine_deployer.py",
        old="return registry.newest_first([s for s in found if not running or s.state is State.READY])",
        new="return registry.newest_first([s for s in found if not running or s.state is State.READY])[:50]",
        seen_by=memory(21),
    ),
    Mutation(
        rule="Nothing is planned where something that cannot be read serves.",
        file=PLAN,
        old="if view.unreadable:",
        new="if False:",
        seen_by=memory("24_a_server_that_only"),
    ),
    Mutation(
        rule="Nothing is deployed where something that cannot be read serves.",
        file=CLAIM,
        old="if found.view and found.view.unreadable:",
        new="if False:",
        seen_by=memory("24_a_server_that_only"),
        hangs=True,
    ),
    Mutation(
        rule="The route to what came during a delete and cannot be read outlives it.",
        file="deployer/rollout/lifecycle.py",
        old="if not left.workloads and left.route.tag and not left.unreadable:",
        new="if not left.workloads and left.route.tag:",
        seen_by=(f"{UNREADABLE}what_comes_during_a_delete_keeps_its_route",),
    ),
    Mutation(
        rule="No model is removed while a record that may name it cannot be read.",
        file="deployer/clear_up.py",
        old="if self._has_others(models, environments) and hides_names(self.engine):",
        new="if False:",
        seen_by=(f"{UNREADABLE}no_model_is_removed_while_a_record_that_may_name_it_cannot_be_read",),
    ),
    Mutation(
        rule="A folder that somebody made has its place, empty or not.",
        file="deployer/flavors/process/engine.py",
        old="if os.path.lexists(final):",
        new="if False:",
        seen_by=process("24_a_stranger_in_the_place"),
    ),
    Mutation(
        rule="A route among others that is none is named.",
        file="deployer/engine_deployer.py",
        old="return [*unreadable_by(self.engine), *unreadable_by(self.gateway)]",
        new="return [*unreadable_by(self.engine)]",
        seen_by=process("24_all_goes_on"),
    ),
    Mutation(
        rule="A workload that there was no room for leaves nothing.",
        file="deployer/flavors/process/engine.py",
        old="shutil.rmtree(temporary.folder, ignore_errors=True)",
        new="pass",
        seen_by=process("32_a_disk_full_during_a_first"),
    ),
    Mutation(
        rule="A model that there was no room for leaves nothing.",
        file="deployer/shelf.py",
        old="                yield entry, held\n        finally:\n            shutil.rmtree(entry, ignore_errors=True)",
        new="                yield entry, held\n        finally:\n            pass",
        seen_by=process("32_a_disk_full_during_a_first"),
    ),
    Mutation(
        rule="What stood at a mark's place stands until the new one is whole.",
        file="deployer/processes/files.py",
        old='with open(temporary, "x", encoding="utf-8", opener=_private) as file:',
        new='with open(temporary := path, "w", encoding="utf-8") as file:',
        seen_by=process("32_a_stop_that_cannot"),
    ),
    Mutation(
        rule="A full disk can still be looked at.",
        file="deployer/state_directory.py",
        old="if error.errno in (errno.ENOSPC, errno.EDQUOT):",
        new="if False:",
        seen_by=process("32_what_stands_on"),
    ),
    Mutation(
        rule="A retry of what was refused goes on with its own server.",
        file=CLAIM,
        old="identity = _named(tried) if tried and not wish.replace else _identity(wish, views)",
        new="identity = _identity(wish, views)",
        seen_by=(
            "tests/rollout/test_deploy.py::test_a_retry_of_what_was_refused_makes_the_next_revision_of_the_same_server",
        ),
    ),
    Mutation(
        rule="Nothing is stopped or deleted where something that cannot be read serves.",
        file="deployer/rollout/lifecycle.py",
        old="            if view.unreadable:\n                raise failures",
        new="            if False:\n                raise failures",
        seen_by=(f"{UNREADABLE}nobody_is_told_that_what_answers_was_stopped_deleted_or_started",),
    ),
    Mutation(
        rule="Nothing is started where something that cannot be read serves.",
        file="deployer/rollout/lifecycle.py",
        old="        if view.unreadable:\n            raise failures",
        new="        if False:\n            raise failures",
        seen_by=(f"{UNREADABLE}a_start_of_what_is_on_its_way_over_it_says_so_at_once",),
    ),
    Mutation(
        rule="No retry goes on where something that cannot be read serves.",
        file=CLAIM,
        old="if tried and tried.unreadable:",
        new="if False:",
        seen_by=(f"{UNREADABLE}a_retry_neither_goes_on_nor_begins_anew_over_it",),
    ),
    Mutation(
        rule="A superseded server that cannot be read is left alone.",
        file="deployer/rollout/observe.py",
        old="(view.speaking for view in views if not view.unreadable)",
        new="(view.speaking for view in views)",
        seen_by=(f"{UNREADABLE}as_a_superseded_server_it_is_left_alone",),
    ),
)
