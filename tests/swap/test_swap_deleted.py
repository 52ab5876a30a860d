"""A swap to a registry in which somebody has deleted a version that would come again."""

import pytest
from swap_project import events, holds, seed

from interlock.errors import GateRefused
from interlock.ids import short
from interlock.lifecycle.swap.apply import WorldChanged, apply_plan, under_way
from interlock.lifecycle.swap.plan import make_plan
from interlock.session import Silent


class Stops(Silent):
    """A reporter by which a swap is interrupted before a step."""

    def __init__(self, step):
        self.step = step

    def stage(self, name, detail):
        if name == self.step:
            raise KeyboardInterrupt


def delete(session, version):
    """Delete a version of a registry, whatever its number is there, and its aliases before."""
    name, funnel = version.name, session.funnel
    found = funnel.one("get_version", name=name, ref=version.id)
    for alias in found.aliases:
        funnel.one("set_alias", name=name, alias=alias, expected=found.number, number=None)
    funnel.one("delete_version", name=name, number=found.number)


def loss(version):
    """What a plan says of a deleted version."""
    return f"{short(version.id)}: registry-acme 0.1.0 cannot hold its id: it made version "


def test_a_plan_says_which_version_was_deleted_there(two, opened):
    """It would be lost, so nothing moves; apply refuses in the words of the plan."""
    old, new = opened(two, "dev"), opened(two, "next")
    _, gone, _ = seed(old, 3)
    apply_plan(old, new)
    delete(new, gone)
    left = holds(new)
    said, *_ = make_plan(old, new).losses
    assert said.startswith(loss(gone))
    assert said.endswith(", which was deleted")
    with pytest.raises(GateRefused) as refused:
        apply_plan(old, new)
    assert said in str(refused.value)
    assert holds(new) == left
    delete(old, gone)
    assert make_plan(old, new).losses == ()


@pytest.mark.parametrize("step", ["aliases", "verify"])
def test_a_version_that_goes_while_a_swap_is_under_way_ends_it(two, opened, step):
    """What was planned for is no longer so: a new plan says it, and nobody waits for the old."""
    versions = seed(opened(two, "dev"), 3)
    with pytest.raises(KeyboardInterrupt):
        apply_plan(opened(two, "dev", reporter=Stops(step)), opened(two, "next"))
    old, new = opened(two, "dev"), opened(two, "next")
    assert under_way(old, new) is not None
    delete(new, versions[0])
    with pytest.raises(WorldChanged, match=rf"{short(versions[0].id)} is gone"):
        apply_plan(old, new)
    assert under_way(old, new) is None
    assert events(old, "swap.failed")[-1][1]["over"] is True
    assert any(said.startswith(loss(versions[0])) for said in make_plan(old, new).losses)


def test_a_version_that_goes_before_it_is_on_record_ends_a_swap(two, opened):
    """Registered by a process that died, then deleted: its id is spent, and the plan is over."""
    versions = seed(opened(two, "dev"), 2)
    with pytest.raises(KeyboardInterrupt):
        apply_plan(opened(two, "dev", reporter=Stops("versions")), opened(two, "next"))
    old, new = opened(two, "dev"), opened(two, "next")
    first = versions[0]
    with new.workspace("somebody") as ws:
        new.funnel.one("register_version", name=first.name, id=first.id, model=first.model,
                       facts=first.facts, ws=ws)  # fmt: skip
    delete(new, first)
    with pytest.raises(WorldChanged, match="is no longer what was planned for"):
        apply_plan(old, new)
    assert under_way(old, new) is None
