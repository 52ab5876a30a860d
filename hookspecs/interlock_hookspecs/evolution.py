"""How the contract changes: its version, and what goes away, when, and what comes instead."""

from __future__ import annotations

import re
from typing import Any

import attrs

CONTRACT_VERSION = "1.0"
"""The version of this contract. A plugin written for another major version, or for a newer minor
one, is refused by name before anything runs."""

_VERSION = re.compile(r"(\d+)\.(\d+)")


def version_pair(text: str) -> tuple[int, int]:
    """A contract version as numbers that compare.

    Raises:
        ValueError: it is none.

    >>> version_pair("1.10") > version_pair("1.9")
    True
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no version of a contract: MAJOR.MINOR, such as 1.0")
    return int(found[1]), int(found[2])


def compatible(stated: str, ours: str = CONTRACT_VERSION) -> bool:
    """Whether a plugin written for one contract version works with another.

    The same major version, and a minor one not newer than ours.

    >>> compatible("1.0", "1.2"), compatible("1.3", "1.2"), compatible("2.0", "1.2")
    (True, False, False)
    """
    try:
        major, minor = version_pair(stated)
    except ValueError:
        return False
    our_major, our_minor = version_pair(ours)
    return major == our_major and minor <= our_minor


def _version(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:  # noqa: ARG001  (attrs' signature)
    version_pair(value)


@attrs.frozen(kw_only=True)
class Deprecation:
    """That a hook, or an argument of one, goes away; said beside its specification.

    Until its removal a plugin that uses it loads, and each time is told so; from then on it is
    refused, and told what to write. A removal breaks plugins, so it waits for a major version.

    Attributes:
        since: the contract version that deprecates it.
        removed: the major version that is without it.
        instead: what to write instead, as the words after a colon.

    Raises:
        ValueError: the versions are none, or the removal is not in a later major version.

    >>> print(Deprecation(since="1.0", removed="2.0", instead="implement apply_endpoint"))
    deprecated since contract 1.0, removed in 2.0: implement apply_endpoint
    """

    since: str = attrs.field(validator=_version)
    removed: str = attrs.field(validator=_version)
    instead: str = attrs.field(validator=attrs.validators.min_len(1))

    def __attrs_post_init__(self) -> None:
        major, minor = version_pair(self.removed)
        if minor or major <= version_pair(self.since)[0]:
            raise ValueError(
                f"what is deprecated in {self.since} is removed in a later major version, "
                f"not in {self.removed}"
            )

    @property
    def gone(self) -> bool:
        """Whether this contract is without it."""
        return version_pair(self.removed) <= version_pair(CONTRACT_VERSION)

    def __str__(self) -> str:
        if self.gone:
            return f"removed in contract {self.removed}: {self.instead}"
        return f"deprecated since contract {self.since}, removed in {self.removed}: {self.instead}"
