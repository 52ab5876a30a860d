"""`models reconcile`, and what a deployment does with an alias that was moved by hand."""

from contextlib import closing

import pytest

from interlock.codec import decode
from interlock.errors import HookFailed
from interlock.lifecycle.aliases import move_champion
from interlock.session import Session
from interlock.stack import load_stack
from interlock_hookspecs import Actor, Release
from interlock_registry_sql import SqlRegistry


@pytest.fixture
def two_versions(small):
    """A small project with two released versions, the second one champion; and its registry."""
    small("run")
    small.edit("max_depth = 3", "max_depth = 2")
    small("run")
    return small, SqlRegistry(root=small.folder)


def differences(project, expect, *words):
    return [
        (row["what"], row["ledger"], row["registry"], row["mended"])
        for row in project.listed("models", "reconcile", *words, expect=expect)
    ]


def test_an_alias_moved_by_hand_is_told_and_put_back(two_versions):
    """The ledger's version is the champion again; the move is on record, and the chain holds."""
    project, registry = two_versions
    assert project("models", "reconcile").out == "The registry and the ledger agree.\n"
    registry.set_alias("small", "champion", "2", "1")
    said = project("models", "reconcile", expect=1)
    assert "moved by hand" in said.out
    assert "next: interlock models reconcile --mend" in said.err
    assert differences(project, 0, "--mend") == [("alias", "2", "1", True)]
    assert registry.get_version("small", "@champion").number == "2"
    assert differences(project, 0) == []
    project("audit", "verify")


def test_a_deleted_version_is_registered_again(two_versions):
    """It comes back under the next number, with its facts; the models are then all there."""
    project, registry = two_versions
    gone = registry.get_version("small", "1")
    registry.delete_version("small", "1")
    assert differences(project, 1) == [("deleted", "1", "", False)]
    assert differences(project, 0, "--mend") == [("deleted", "1", "", True)]
    back = registry.get_version("small", gone.model.digest)
    assert (back.number, back.facts) == ("3", gone.facts)
    assert differences(project, 0) == []
    project("audit", "verify")


def test_a_version_added_by_hand_is_told_and_left_alone(two_versions):
    """What the ledger knows nothing of stays where it is, mended or not."""
    project, registry = two_versions
    import attrs

    from interlock_hookspecs import Facts
    from interlock_hookspecs.conformance import LocalWorkspace

    model = registry.get_version("small", "1").model
    artifact = attrs.evolve(model.artifact, digest="sha256:" + "0" * 64)
    model = attrs.evolve(model, artifact=artifact)
    registry.register_version("small", "by-hand", model, Facts(), LocalWorkspace(project.folder))
    for words in ((), ("--mend",)):
        assert differences(project, 1, *words) == [("added", "", "3", False)]
    assert registry.get_version("small", "by-hand") is not None


def test_the_policy_says_whether_a_foreign_move_stops_a_release_and_a_deployment(two_versions):
    """By default both refuse, and name the command that mends; `report` warns and goes on."""
    project, registry = two_versions
    registry.set_alias("small", "champion", "2", "1")
    released = project.events("release.made")
    project.edit("max_depth = 2", "max_depth = 4")
    refused = project("run", expect=3)
    assert "moved outside Interlock" in refused.err
    assert "interlock models reconcile --mend" in refused.err
    assert project.events("release.made") == released
    again = project("deploy", project.endpoint["release"], expect=1)
    assert "moved outside Interlock" in again.err
    project.edit("approvals = 0", 'approvals = 0\nexternal_aliases = "report"')
    project.edit("max_depth = 4", "max_depth = 5")
    gone_on = project("run")
    assert "moved outside Interlock" in gone_on.err
    assert registry.get_version("small", "@champion").number == "4"


@pytest.mark.parametrize("other", ["1", None], ids=["to-the-same", "elsewhere"])
def test_an_alias_that_another_controller_moves_meanwhile(two_versions, monkeypatch, other):
    """Where it then stands where it is meant to, all is well; elsewhere it is not moved again."""
    project, registry = two_versions
    actor = Actor(subject="ana")
    with closing(Session(load_stack(project.folder), actor=actor)) as session:
        old = session.ledger.reads.releases("small")[-1]
        release = decode(Release, old["body"])
        assert release.number == "1"
        ask = session.funnel.one

        def one(hook, **arguments):
            if hook == "set_alias":
                registry.set_alias("small", "champion", arguments["expected"], other)
            return ask(hook, **arguments)

        monkeypatch.setattr(session.funnel, "one", one)
        if other is None:
            with pytest.raises(HookFailed, match="look, then move it"):
                move_champion(session, release)
        else:
            move_champion(session, release)
            assert registry.get_version("small", "@champion").number == "1"
