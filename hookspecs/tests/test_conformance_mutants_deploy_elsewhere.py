"""The deploy suite catches every server elsewhere that breaks a promise, and says which."""

import hashlib
import itertools
import json
import os
import threading
import time
from pathlib import Path

import attrs
import pyarrow as pa
from wrong_plugins import catches, each, unclaimed

from interlock_hookspecs import (
    Deployment,
    EndpointStatus,
    Maker,
    NotFound,
    Unsupported,
    hookimpl,
    plugin,
    project_root,
)
from interlock_hookspecs.conformance.deploy import DeploySuite


@plugin(contract="1.0")
class Elsewhere:
    """A server elsewhere that is told by a file for each endpoint what to serve."""

    root: Path = project_root()

    @hookimpl
    def apply_endpoint(self, endpoint, id, targets, ws):  # noqa: A002
        for target in targets:
            ws.locate(target.model.artifact)
        path = self.path(endpoint)
        self.write(path, [target.release.id for target in targets])
        return Deployment(id=id, endpoint=endpoint, targets=targets, address=path.as_uri())

    @hookimpl
    def endpoint_status(self, deployment):
        path = self.path(deployment.endpoint)
        if not path.exists() or deployment.address != path.as_uri():
            return EndpointStatus(live=False, ready=False, detail="there is no such endpoint")
        return EndpointStatus(live=True, ready=True, serving=json.loads(path.read_text()))

    @hookimpl
    def remove_endpoint(self, deployment):
        if deployment.address:
            self.path(deployment.endpoint).unlink(missing_ok=True)

    @hookimpl
    def read_captures(self, deployment, start, end):
        return pa.table({name: [] for name in ("request_id", "row", "at", "release", "mirror")})

    def path(self, endpoint):
        name = json.dumps(attrs.astuple(endpoint))
        return (self.root / hashlib.sha256(name.encode()).hexdigest()).resolve()

    def write(self, path, releases):
        path.write_text(json.dumps(releases))


def applying(function):
    """A server elsewhere that changes what it says of itself."""

    class Mutant(Elsewhere):
        @hookimpl
        def apply_endpoint(self, endpoint, id, targets, ws):  # noqa: A002
            made = Elsewhere.apply_endpoint(self, endpoint, id, targets, ws)
            return function(self, made, ws)

    Mutant.__name__ = function.__name__
    return Mutant


count = itertools.count()


@applying
def numbers_its_deployments(self, made, ws):
    return attrs.evolve(made, id=f"acme-{next(count)}")


@applying
def counts_its_revisions(self, made, ws):
    return attrs.evolve(made, facts={"revision": next(count)})


@applying
def says_no_address(self, made, ws):
    return attrs.evolve(made, address="")


@applying
def stamps_itself(self, made, ws):
    return attrs.evolve(made, maker=Maker(plugin="deploy-acme", version="1"))


@applying
def answers_for_another_endpoint(self, made, ws):
    return attrs.evolve(made, endpoint=attrs.evolve(made.endpoint, name="acme"))


@applying
def serves_a_split_in_halves(self, made, ws):
    equal = [attrs.evolve(target, weight=1 / len(made.targets)) for target in made.targets]
    return attrs.evolve(made, targets=equal)


@applying
def refuses_a_split_too_late(self, made, ws):
    if len(made.targets) > 1:
        raise Unsupported("acme serves one release")
    return made


@applying
def serves_the_first_of_a_split(self, made, ws):
    self.write(self.path(made.endpoint), [made.targets[0].release.id])
    return made


class Moves(Elsewhere):
    @hookimpl
    def apply_endpoint(self, endpoint, id, targets, ws):  # noqa: A002
        made = super().apply_endpoint(endpoint, id, targets, ws)
        return attrs.evolve(made, address=f"{made.address}#{targets[0].release.id}")

    @hookimpl
    def endpoint_status(self, deployment):
        address = deployment.address.partition("#")[0]
        return super().endpoint_status(attrs.evolve(deployment, address=address))


class KeepsTheOld(Elsewhere):
    def write(self, path, releases):
        before = json.loads(path.read_text()) if path.exists() else []
        super().write(path, sorted({*before, *releases}))


class StaysWithTheFirst(Elsewhere):
    def write(self, path, releases):
        if not path.exists():
            super().write(path, releases)


class KeepsItInMemory(Elsewhere):
    def path(self, endpoint):
        return super().path(attrs.evolve(endpoint, name=f"{id(self)}"))


class KnowsAnEndpointByItsName(Elsewhere):
    def path(self, endpoint):
        return super().path(attrs.evolve(endpoint, stack="any", project="any"))


class FoldsNames(Elsewhere):
    def path(self, endpoint):
        return super().path(attrs.evolve(endpoint, name=endpoint.name.lower()))


class NamesAFileByTheEndpoint(Elsewhere):
    def path(self, endpoint):
        name = f"{endpoint.stack}-{endpoint.project}-{endpoint.name}.json"
        return (self.root / name).resolve()


class WritesBeforeItLooks(Elsewhere):
    @hookimpl
    def apply_endpoint(self, endpoint, id, targets, ws):  # noqa: A002
        self.write(self.path(endpoint), [target.release.id for target in targets])
        return super().apply_endpoint(endpoint, id, targets, ws)


class DoesNotLook(Elsewhere):
    @hookimpl
    def apply_endpoint(self, endpoint, id, targets):  # noqa: A002
        path = self.path(endpoint)
        self.write(path, [target.release.id for target in targets])
        return Deployment(id=id, endpoint=endpoint, targets=targets, address=path.as_uri())


class WritesOneFileForAll(Elsewhere):
    def path(self, endpoint):
        return (self.root / endpoint.project).resolve()


class WritesATableUnderALockOfThreads(Elsewhere):
    lock = threading.Lock()

    def write(self, path, releases):
        with self.lock:
            table = self.root / "table.json"
            served = json.loads(table.read_text()) if table.exists() else {}
            time.sleep(0.1)
            written = self.root / f"table-{os.getpid()}.json"
            written.write_text(json.dumps({**served, path.name: releases}))
            written.replace(table)
            super().write(path, releases)

    @hookimpl
    def endpoint_status(self, deployment):
        status = super().endpoint_status(deployment)
        table = self.root / "table.json"
        served = json.loads(table.read_text()) if status.live else {}
        return attrs.evolve(status, serving=served.get(self.path(deployment.endpoint).name, ()))


class RemovesOnce(Elsewhere):
    @hookimpl
    def remove_endpoint(self, deployment):
        if not self.path(deployment.endpoint).exists():
            raise NotFound("there is no such endpoint")
        super().remove_endpoint(deployment)


class RemovesNothing(Elsewhere):
    @hookimpl
    def remove_endpoint(self, deployment):
        pass


class RemovesAll(Elsewhere):
    @hookimpl
    def remove_endpoint(self, deployment):
        for path in self.root.iterdir():
            path.unlink()


class RaisesOfWhatIsGone(Elsewhere):
    @hookimpl
    def endpoint_status(self, deployment):
        json.loads(self.path(deployment.endpoint).read_text())
        return super().endpoint_status(deployment)


class CapturesWithoutTheTime(Elsewhere):
    @hookimpl
    def read_captures(self, deployment, start, end):
        return super().read_captures(deployment, start, end).drop_columns(["at"])


class CapturesWhatNobodyAsked(Elsewhere):
    @hookimpl
    def read_captures(self, deployment, start, end):
        names = super().read_captures(deployment, start, end).column_names
        return pa.table({name: ["x"] for name in names})


class CapturesAList(Elsewhere):
    @hookimpl
    def read_captures(self, deployment, start, end):
        return []


MUTANTS = [
    (numbers_its_deployments, "it_serves_exactly_what_is_asked", "a deployment has another id"),
    (answers_for_another_endpoint, "it_serves_exactly_what_is_asked", "is of another endpoint"),
    (says_no_address, "it_serves_exactly_what_is_asked", "does not say where clients call it"),
    (stamps_itself, "it_serves_exactly_what_is_asked", "a deployment says itself who made it"),
    (KeepsItInMemory, "it_serves_exactly_what_is_asked", "an endpoint that was made is dead"),
    (counts_its_revisions, "asked_again_it_changes_nothing", "it is another deployment"),
    (Moves, "new_targets_take_the_place_of_the_old", "an endpoint moves when its targets change"),
    (KeepsTheOld, "new_targets_take_the_place_of_the_old", "the old release is served on"),
    (StaysWithTheFirst, "new_targets_take_the_place_of_the_old", "the old release is served on"),
    (serves_a_split_in_halves, "a_split_is_served_or_refused",
     "a split was changed into something else"),
    (refuses_a_split_too_late, "a_split_is_served_or_refused", "a split, refused, changed it"),
    (serves_the_first_of_a_split, "a_split_is_served_or_refused", "a split is not served whole"),
    (KnowsAnEndpointByItsName, "endpoints_are_apart", "two endpoints have one address"),
    (RemovesAll, "endpoints_are_apart", "an endpoint that was made is dead"),
    (FoldsNames, "any_text_is_a_name", "another name took an endpoint's place"),
    (NamesAFileByTheEndpoint, "any_text_is_a_name", "FileNotFoundError"),
    (DoesNotLook, "a_model_that_is_gone_is_refused", "a model that is gone: nothing is raised"),
    (WritesBeforeItLooks, "a_model_that_is_gone_is_refused",
     "a refused target changed the endpoint"),
    (WritesOneFileForAll, "many_endpoints_are_made_at_once",
     "endpoints made at once serve each other's releases"),
    (WritesATableUnderALockOfThreads, "many_processes_make_endpoints",
     "an endpoint that one process made is undone by another"),
    (RemovesOnce, "a_removed_endpoint_is_gone", "removing an endpoint is an error: NotFound"),
    (RemovesNothing, "a_removed_endpoint_is_gone", "an endpoint that was removed is called ready"),
    (RaisesOfWhatIsGone, "a_removed_endpoint_is_gone", "a status is an error: FileNotFoundError"),
    (CapturesWithoutTheTime, "captures_are_of_a_half_open_window", "captures lack the column at"),
    (CapturesWhatNobodyAsked, "captures_are_of_a_half_open_window",
     "captures are from before the endpoint was made"),
    (CapturesAList, "captures_are_of_a_half_open_window", "read_captures gives list"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A server elsewhere with one broken promise fails that promise's test, in words."""
    catches(DeploySuite, lambda folder: mutant(root=folder), test, sentence)


def test_the_server_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken; what its optional hooks promise is unclaimed."""
    left = {one.why for one in unclaimed(DeploySuite, lambda folder: Elsewhere(root=folder))}
    assert left == {"optional: the plugin does not implement serve_endpoint"}
