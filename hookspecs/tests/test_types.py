"""Annotations are resolved where they were written."""

import attrs

from interlock_hookspecs import type_hints
from interlock_hookspecs.deploy import Target


class Score:
    """A name that the contract has, too."""


def test_a_name_of_the_modules_own_comes_before_the_contracts():
    """An annotation means what its module says; what that does not say, the contract does."""

    @attrs.frozen
    class Settings:
        score: "Score"
        check: "Check"  # noqa: F821  (imported for type checking only, where it is)

    found = type_hints(Settings)
    assert found["score"] is Score
    assert found["check"].__module__ == "interlock_hookspecs.checks"


def test_what_a_class_inherits_is_named_by_the_module_it_comes_from():
    """`Release` is no name of this module, and a field of one that inherits it is still of it."""

    @attrs.frozen(kw_only=True)
    class Favourite(Target):
        since: int = 0

    found = type_hints(Favourite)
    assert (found["release"].__name__, found["since"]) == ("Release", int)
    assert [*found] == ["release", "model", "weight", "mirror", "since"]
