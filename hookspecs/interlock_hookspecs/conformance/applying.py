"""The promises of a server elsewhere: ``apply_endpoint``, and what is asked of it afterwards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from interlock_hookspecs import (
    Artifact,
    Deployment,
    Endpoint,
    InvalidInput,
    Model,
    PluginError,
    Target,
    Unsupported,
    Workspace,
)
from interlock_hookspecs.conformance.endpoints import status_of
from interlock_hookspecs.conformance.released import ENDPOINT, target_of
from interlock_hookspecs.conformance.suite import (
    Suite,
    another,
    ask,
    has,
    must_raise,
    needs,
)
from interlock_hookspecs.conformance.together import at_once, in_processes
from interlock_hookspecs.conformance.versions import model_of

CALLERS = 4
ID = "deployment-1"
NAMES = ("Employment", "Zürich/modèle", "a b", "a'b\"c;--", "../up", "n" * 300)
_CAPTURED = {"request_id", "row", "at", "release", "mirror"}


class ApplyingPromises(Suite):
    """A server elsewhere. A subclass whose backend opens certain files only has `model`."""

    def model(self, word: str, ws: Workspace) -> Model:
        """A model that the backend serves, another one for another word, kept in the workspace."""
        return model_of(word, ws)

    def test_it_serves_exactly_what_is_asked(self, plugin: Any, ws: Workspace) -> None:
        """A deployment has the id, the endpoint and the targets asked for, and says where it is."""
        needs(plugin, "apply_endpoint")
        target = self._target(1, ws)
        made = apply(plugin, [target], ws)
        assert made.id == ID, "a deployment has another id"
        assert made.endpoint == ENDPOINT, "a deployment is of another endpoint"
        assert made.targets == (target,), "a deployment has other targets"
        assert made.address, "a deployment does not say where clients call it"
        assert made.maker is None, "a deployment says itself who made it"
        assert serving(another(plugin), made) == ["release-1"], "the endpoint serves other releases"

    def test_asked_again_it_changes_nothing(self, plugin: Any, ws: Workspace) -> None:
        """The same id and targets again give the same deployment, whoever asks."""
        needs(plugin, "apply_endpoint")
        target = self._target(1, ws)
        made = apply(plugin, [target], ws)
        for again in (apply(plugin, [target], ws), apply(another(plugin), [target], ws)):
            assert again == made, "asked again, it is another deployment"
        assert serving(plugin, made) == ["release-1"], "asked again, it serves something else"

    def test_new_targets_take_the_place_of_the_old(self, plugin: Any, ws: Workspace) -> None:
        """Asked for other targets, the endpoint stays where it is and serves only these."""
        needs(plugin, "apply_endpoint")
        made = apply(plugin, [self._target(1, ws)], ws)
        changed = apply(plugin, [self._target(2, ws)], ws)
        assert changed.address == made.address, "an endpoint moves when its targets change"
        assert serving(plugin, changed) == ["release-2"], "the old release is served on"
        back = apply(plugin, [self._target(1, ws)], ws)
        assert serving(plugin, back) == ["release-1"], "the endpoint does not go back"

    def test_a_split_is_served_or_refused(self, plugin: Any, ws: Workspace) -> None:
        """Weights and mirrors are served as asked, or Unsupported with the endpoint as it was."""
        needs(plugin, "apply_endpoint")
        before = apply(plugin, [self._target(1, ws)], ws)
        split = [self._target(1, ws, weight=0.9), self._target(2, ws, weight=0.1)]
        mirrored = [self._target(1, ws), self._target(3, ws, weight=0.0, mirror=True)]
        for what, targets in (("a split", split), ("a mirror", mirrored)):
            try:
                made = apply(plugin, targets, ws)
            except Unsupported:
                assert serving(plugin, before) == ["release-1"], f"{what}, refused, changed it"
                continue
            assert made.targets == tuple(targets), f"{what} was changed into something else"
            found = serving(plugin, made)
            answering = {target.release.id for target in targets if not target.mirror}
            assert answering <= set(found), f"{what} is not served whole"
            assert set(found) <= {target.release.id for target in targets}, f"{what} has others"
            apply(plugin, [self._target(1, ws)], ws)

    def test_endpoints_are_apart(self, plugin: Any, ws: Workspace) -> None:
        """Endpoints of other names, projects and stacks are others, and removed one by one."""
        needs(plugin, "apply_endpoint")
        endpoints = [
            ENDPOINT,
            attrs.evolve(ENDPOINT, name="other"),
            attrs.evolve(ENDPOINT, project="other"),
            attrs.evolve(ENDPOINT, stack="prod"),
        ]
        made = []
        for place, endpoint in enumerate(endpoints, start=1):
            target = self._target(place, ws, endpoint=endpoint)
            key = f"deployment-{place}"
            made.append(apply(plugin, [target], ws, key=key, endpoint=endpoint))
        assert len({one.address for one in made}) == len(made), "two endpoints have one address"
        for place, one in enumerate(made, start=1):
            assert serving(plugin, one) == [f"release-{place}"], "an endpoint serves another's"
        if not has(plugin, "remove_endpoint"):
            return
        remove(plugin, made[0])
        assert serving(plugin, made[1]) == ["release-2"], "removing one endpoint removes another"

    def test_any_text_is_a_name(self, plugin: Any, ws: Workspace) -> None:
        """An endpoint of any name is served, apart from its neighbours, or refused as such."""
        needs(plugin, "apply_endpoint")
        kept = apply(plugin, [self._target(1, ws)], ws)
        for place, name in enumerate(NAMES, start=2):
            endpoint = attrs.evolve(ENDPOINT, name=name)
            target = self._target(place, ws, endpoint=endpoint)
            try:
                made = apply(plugin, [target], ws, key=f"deployment-{place}", endpoint=endpoint)
            except (InvalidInput, Unsupported):
                continue
            found = serving(plugin, made)
            assert found == [f"release-{place}"], f"the endpoint {name!r} does not serve its own"
        assert serving(plugin, kept) == ["release-1"], "another name took an endpoint's place"

    def test_a_model_that_is_gone_is_refused(self, plugin: Any, ws: Workspace) -> None:
        """A model whose bytes nobody has is an error of the contract's, and changes nothing."""
        needs(plugin, "apply_endpoint")
        before = apply(plugin, [self._target(1, ws)], ws)
        with must_raise(PluginError, "a model that is gone"):
            apply(plugin, [self.lost_target(ws)], ws)
        assert serving(plugin, before) == ["release-1"], "a refused target changed the endpoint"

    def test_many_endpoints_are_made_at_once(self, plugin: Any, ws: Workspace) -> None:
        """Several at once each make their own endpoint; one asked for at once by many is one."""
        needs(plugin, "apply_endpoint")
        for place, made in enumerate(at_once(self._at_once(plugin, ws))):
            assert serving(plugin, made) == [f"release-{place + 1}"], (
                "endpoints made at once serve each other's releases"
            )
        same = functools.partial(apply, another(plugin), [self._target(1, ws)], ws)
        made_again = at_once([same] * CALLERS)
        assert len({one.address for one in made_again}) == 1, "one id at once made two endpoints"

    def test_many_processes_make_endpoints(self, plugin: Any, ws: Workspace) -> None:
        """Several commands at once each make their own endpoint, and undo none of another's."""
        needs(plugin, "apply_endpoint")
        for place, made in enumerate(in_processes(self._at_once(plugin, ws))):
            assert serving(plugin, made) == [f"release-{place + 1}"], (
                "an endpoint that one process made is undone by another"
            )

    def test_a_removed_endpoint_is_gone(self, plugin: Any, ws: Workspace) -> None:
        """A removed endpoint has a status that says so; removing it again is no error."""
        needs(plugin, "apply_endpoint")
        needs(plugin, "remove_endpoint")
        target = self._target(1, ws)
        made = apply(plugin, [target], ws)
        for one in (plugin, another(plugin)):
            remove(one, made)
            status = status_of(one, made)
            assert not status.ready, "an endpoint that was removed is called ready"
            assert status.serving == (), "an endpoint that was removed serves releases"
        never = attrs.evolve(made, id="deployment-never", address="")
        remove(plugin, never)
        again = apply(plugin, [target], ws)
        assert serving(plugin, again) == ["release-1"], "a removed endpoint cannot be made again"

    def test_captures_are_of_a_half_open_window(self, plugin: Any, ws: Workspace) -> None:
        """What was answered is a table with the contract's columns, and empty before it began."""
        needs(plugin, "read_captures")
        made = apply(plugin, [self._target(1, ws)], ws)
        start = datetime(2000, 1, 1, tzinfo=UTC)
        for end in (start, start + timedelta(days=1)):
            rows = ask(plugin, "read_captures", deployment=made, start=start, end=end)
            missing = _CAPTURED - set(rows.column_names)
            assert not missing, f"captures lack the column {min(missing)}"
            assert rows.num_rows == 0, "captures are from before the endpoint was made"

    def lost_target(self, ws: Workspace) -> Target:
        """A target whose model no workspace has any more."""
        model = self.model("2", ws)
        lost = Artifact(digest="sha256:" + "0" * 64, size=1, name=model.artifact.name)
        return target_of(2, model=attrs.evolve(model, artifact=lost))

    def _at_once(self, plugin: Any, ws: Workspace) -> list[Callable[[], Deployment]]:
        """To make some endpoints, each with a release of its own."""
        acts: list[Callable[[], Deployment]] = []
        for place in range(CALLERS):
            endpoint = attrs.evolve(ENDPOINT, name=f"at-once-{place}")
            target = self._target(place + 1, ws, endpoint=endpoint)
            act = functools.partial(apply, another(plugin), [target], ws)
            acts.append(functools.partial(act, key=f"deployment-{place}", endpoint=endpoint))
        return acts

    def _target(
        self,
        number: int,
        ws: Workspace,
        *,
        endpoint: Endpoint = ENDPOINT,
        weight: float = 1.0,
        mirror: bool = False,
    ) -> Target:
        model = self.model(str(number), ws)
        return target_of(number, endpoint=endpoint, weight=weight, mirror=mirror, model=model)


def apply(
    plugin: Any,
    targets: Sequence[Target],
    ws: Workspace,
    *,
    key: str = ID,
    endpoint: Endpoint = ENDPOINT,
) -> Deployment:
    """Ask for targets behind an endpoint."""
    made: Deployment = ask(
        plugin, "apply_endpoint", endpoint=endpoint, id=key, targets=tuple(targets), ws=ws
    )
    return made


def remove(plugin: Any, deployment: Deployment) -> None:
    """End an endpoint, which may be gone already."""
    try:
        ask(plugin, "remove_endpoint", deployment=deployment)
    except PluginError as error:
        msg = f"removing an endpoint is an error: {type(error).__name__}: {error}"
        raise AssertionError(msg) from error


def serving(plugin: Any, deployment: Deployment) -> list[str]:
    """The releases that an endpoint says it serves; it must be ready."""
    status = status_of(plugin, deployment)
    assert status.live, f"an endpoint that was made is dead: {status.detail}"
    assert status.ready, f"an endpoint that was made is not ready: {status.detail}"
    return sorted(status.serving)
