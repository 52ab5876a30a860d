"""`interlock stack plan` and `apply`: what is said moves, nothing else, there and back."""

import json

import pytest
from swap_project import add_version, events, holds, seed, set_alias

from interlock.errors import GateRefused, UsageError
from interlock.ledger import verify
from interlock.lifecycle.swap.apply import WorldChanged, apply_plan
from interlock.lifecycle.swap.plan import make_plan
from interlock.session import Silent

MANY = 200


@pytest.fixture
def sides(two, opened):
    """The two stacks of a project, opened."""
    return opened(two, "dev"), opened(two, "next")


def apart(project):
    """Let the second stack keep its artifacts in a place of its own."""
    project.edit('registry = "acme"\n', 'registry = "acme"\nartifacts = ".interlock/next"\n')


def test_many_versions_go_there_and_back(two, opened):
    """200 versions with their facts and aliases: ids, digests and order are equal on both sides."""
    apart(two)
    old, new = opened(two, "dev"), opened(two, "next")
    seed(old, MANY)
    before = holds(old)
    plan = make_plan(old, new)
    assert (plan.cost.versions, len(plan.aliases), plan.cost.artifacts) == (MANY, 3, MANY)
    apply_plan(old, new, digest=plan.digest)
    assert holds(new) == holds(old) == before
    for version in plan.versions:
        new.store.check(version.model.artifact)

    late = [add_version(new, f"late {place}") for place in range(3)]
    grown = holds(new)
    apply_plan(new, old)
    assert holds(old) == grown
    for version in late:
        old.store.check(version.model.artifact)
    assert apply_plan(old, new).id == apply_plan(new, old).id == ""
    assert verify(old.ledger).ok


def test_the_plan_says_how_many_requests_it_takes(sides):
    """What is counted beforehand is what the new registry's plugin is asked."""
    seed(sides[0], 7)
    plan = make_plan(*sides)
    new = sides[1].funnel
    asked = sum(timing.calls for timing in new.timings.values())
    apply_plan(*sides)
    misfits = new.timings["find_misfits", "registry-acme"].calls
    listed = new.timings["list_versions", "registry-acme"].calls
    after = sum(timing.calls for timing in new.timings.values())
    # Applying makes the plan anew: one more listing, and each version's misfits.
    assert after - asked == plan.cost.requests + 1 + misfits // 2
    assert listed == 3


def test_a_plan_changes_nothing(two, sides):
    """Neither registry, nor the stores, nor the ledger; the same world gives the same digest."""
    apart(two)
    seed(sides[0], 3)
    sequence = len(sides[0].ledger.reads.events("small", after=0, limit=None))
    digests = {make_plan(*sides).digest for _ in range(3)}
    assert len(digests) == 1
    assert holds(sides[1]) == []
    assert len(sides[0].ledger.reads.events("small", after=0, limit=None)) == sequence
    assert not (two.folder / ".interlock/next").exists()


def test_a_plan_of_another_world_is_not_applied(sides):
    """A version, an alias or a fact that came since makes another digest, and it is refused."""
    old, new = sides
    (first, *_, last) = seed(old, 3)
    plan = make_plan(old, new)
    set_alias(old, "champion", first, expected=last.number)
    with pytest.raises(UsageError, match="the world has changed since"):
        apply_plan(old, new, digest=plan.digest)
    assert holds(new) == []
    apply_plan(old, new, digest=make_plan(old, new).digest.removeprefix("sha256:")[:12])
    assert holds(new) == holds(old)


class Meddler(Silent):
    """Somebody who registers a version while the swap is under way."""

    def __init__(self):
        self.session = None

    def stage(self, name, text):
        if name == "aliases" and self.session:
            session, self.session = self.session, None
            add_version(session, "meddled")


def test_a_world_that_changes_under_way_is_noticed(two, opened):
    """The swap fails saying so, and another plan takes in what came."""
    meddler = Meddler()
    old, new = opened(two, "dev", reporter=meddler), opened(two, "next")
    seed(old, 3)
    meddler.session = old
    with pytest.raises(WorldChanged, match="has changed since the plan was made"):
        apply_plan(old, new)
    ((_, failed),) = events(old, "swap.failed")
    assert failed["over"]
    plan = make_plan(old, new)
    assert (len(plan.versions), len(plan.held)) == (1, 3)
    apply_plan(old, new, digest=plan.digest)
    assert holds(new) == holds(old)


def test_everything_is_in_the_ledger(sides):
    """The plan under its digest, each version and alias once, and the end."""
    old, new = sides
    made = seed(old, 3)
    swapped = apply_plan(old, new)
    ((swap, started),) = events(old, "swap.started")
    assert (swap, started["digest"]) == (swapped.id, swapped.plan.digest)
    assert [subject for subject, _ in events(old, "version.copied")] == [one.id for one in made]
    moved = {said["alias"]: subject for subject, said in events(old, "alias.copied")}
    assert moved == {"champion": made[-1].id, "Ä ✓": made[-1].id, "baseline": made[0].id}
    assert [subject for subject, _ in events(old, "swap.finished")] == [swap]
    assert verify(old.ledger).ok


def test_what_the_new_registry_cannot_hold_is_said_and_refused(sides):
    """Acme takes any alias, sql up to 100 characters: the way back would lose it."""
    sql, acme = sides
    version = add_version(acme, "model")
    set_alias(acme, "a" * 101, version)
    plan = make_plan(acme, sql)
    (loss,) = plan.losses
    assert "registry-sql 0.1.0 cannot hold its alias 'aaaa" in loss
    with pytest.raises(GateRefused, match="would be lost"):
        apply_plan(acme, sql)
    assert holds(sql) == []


def test_an_alias_that_somebody_set_by_hand_is_not_overwritten(sides):
    """The ledger does not know how it came there; moving it would lose that."""
    old, new = sides
    seed(old, 2)
    set_alias(new, "champion", add_version(new, "their own"))
    (loss,) = make_plan(old, new).losses
    assert "the alias 'champion' stands on version 1" in loss
    assert "set by somebody past Interlock" in loss


def test_an_alias_that_has_moved_on_does_not_go_back(two, opened):
    """After a swap the new champion is ahead: the old registry's may follow it, not overrule it."""
    old, new = opened(two, "dev"), opened(two, "next")
    two("run")
    apply_plan(old, new)
    two("run", "--stack", "next", "--set", "train-sklearn.parameters.max_depth=2")
    (loss,) = make_plan(old, new).losses
    assert "has moved on since" in loss
    assert make_plan(new, old).losses == ()
    apply_plan(new, old)
    assert holds(old) == holds(new)


def test_an_order_that_would_change_is_refused(sides):
    """What is missing there comes after all that it has: older ones would look newer."""
    old, new = sides
    _, second = seed(old, 2)
    with new.workspace("seed") as ws:
        new.funnel.one(
            "register_version", name="small", id=second.id, model=second.model,
            facts=second.facts, ws=ws,
        )  # fmt: skip
    (loss,) = make_plan(old, new).losses
    assert loss.startswith("the order: ")


def test_bytes_that_are_there_under_another_id_stay_under_it(sides):
    """One model is one version of a name: it is said, and its aliases follow."""
    old, new = sides
    made = add_version(old, "model 0", place=0)
    theirs = add_version(new, "model 0", place=7)
    set_alias(old, "champion", made)
    plan = make_plan(old, new)
    assert plan.versions == ()
    assert any("under another id" in note for note in plan.notes)
    apply_plan(old, new)
    ((found,),) = ([one.aliases for one in holds(new)],)
    assert (found, holds(new)[0].id) == (("champion",), theirs.id)


def test_the_command_says_what_will_happen(two, sides):
    """In words and as JSON; what would be lost ends with exit code 3, and is not done."""
    seed(sides[0], 2)
    said = two("stack", "plan", "--to", "next")
    assert "versions   2 move, oldest first" in said.out
    assert "requests to registry-acme" in said.out
    plan = json.loads(two("stack", "plan", "--to", "next", "--json").out)
    assert plan["digest"][:19] in said.err
    done = two("stack", "apply", "--to", "next", "--plan", plan["digest"])
    assert "2 versions, 3 aliases and 0 artifacts are in next" in done.out
    assert "next has all 2 versions" in two("stack", "plan", "--to", "next").out
    set_alias(sides[1], "a" * 101, add_version(sides[1], "more"))
    assert "LOST" in two("stack", "plan", "--stack", "next", "--to", "dev", expect=3).out
    two("stack", "apply", "--stack", "next", "--to", "dev", expect=3)


def test_a_swap_is_between_two_stacks_of_one_ledger(two):
    """To itself, to another ledger, or to a stack without a registry it is refused in a line."""
    with (two.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write('[stack.far]\nextends = "dev"\nledger = "sqlite:///far.db"\n')
        file.write('[stack.bare]\nextends = "dev"\nregistry = []\n')
    assert "'dev' is both" in two("stack", "plan", "--to", "dev", expect=2).err
    far = two("stack", "plan", "--to", "far", expect=2).err
    assert "keep different ledgers" in far
    assert "interlock promote VERSION --to far" in far
    assert "has no registry" in two("stack", "plan", "--to", "bare", expect=2).err
