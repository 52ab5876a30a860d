"""Annotations are resolved where they were written."""

import attrs

from interlock_hookspecs import type_hints
from interlock_hookspecs.deploy import Target


def test_what_a_class_inherits_is_named_by_the_module_it_comes_from():
    """`Release` is no name of this module, and a field of one that inherits it is still of it."""

    @attrs.frozen(kw_only=True)
    class Favourite(Target):
        since: int = 0

    found = type_hints(Favourite)
    assert (found["release"].__name__, found["since"]) == ("Release", int)
    assert [*found] == ["release", "model", "weight", "mirror", "since"]
