"""A stack as it was read: who does each stage, under which policy, with which settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from interlock.errors import UnsetError
from interlock.stack.environment import Unset, unset
from interlock.stack.hosting import Hosting
from interlock.stack.places import Origin
from interlock.stack.rollout import RolloutPlan
from interlock_hookspecs import ROLES, ModelFacts, Policy, Secret, Task, reveal

DEFAULT_LEDGER = "sqlite:///.interlock/ledger.db"
DEFAULT_ARTIFACTS = ".interlock/artifacts"
LOCK = "interlock.lock"


def _read_only(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _read_only_tables(value: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return _read_only({name: _read_only(table) for name, table in value.items()})


@attrs.frozen(kw_only=True)
class Project:
    """Whose models these are.

    Attributes:
        name: in the ledger, and of the endpoint where the stack names no other.
        module: the project's own hooks, an absolute path; None where it has none.
    """

    name: str
    module: Path | None = None


@attrs.frozen(kw_only=True, eq=False)
class Stack:
    """A stack, ready to load its plugins.

    Attributes:
        name: which stack of the file.
        root: the folder of the project's stack file; what plugins resolve their paths against.
        file: the project's stack file.
        files: every file that was read, that one last.
        includes: what the project's file includes, as written.
        policies: those of them that say a policy, themselves or through what they include.
        project, task, model, policy: the tables of these names; task is None where the file has
            no ``[task]``.
        roles: the words of the plugins by role, in the order written; a role that the stack
            lacks is absent.
        settings: the values said for each plugin by its name, a `Secret` for each text with
            ``${NAME}``, or an `Unset` where the environment lacks that. Those of plugins that the
            stack does not select are here too.
        written: the same with ``${NAME}`` unexpanded and the keys of its hosting, as the ledger
            keeps them.
        hosts: how core runs each plugin that has a table; `hosting` gives it for any.
        hook_timeout: seconds that a hook may take where its plugin's table says nothing else.
        ledger: a database URL, relative SQLite paths made absolute; `address` gives it to who
            opens it, and so the next.
        artifacts: an absolute folder, or an fsspec address.
        artifacts_cache: bytes that are kept of an address on this machine; None for any.
        endpoint: the name of the endpoint.
        package: the format that a model is converted to before it is served; empty for its own.
        rollout: how a new release takes it over.
        origins: where each value comes from, by dotted key: ``task.target``,
            ``policy.bounds.metrics.roc_auc``, ``stack.dev.train``,
            ``stack.dev.train-sklearn.estimator``.
        names: every stack of the file, the default first.
        secrets: everything that the environment gave.
    """

    name: str
    root: Path
    file: Path
    files: tuple[Path, ...]
    project: Project
    task: Task | None
    model: ModelFacts
    policy: Policy
    roles: Mapping[str, tuple[str, ...]] = attrs.field(converter=_read_only)
    settings: Mapping[str, Mapping[str, Any]] = attrs.field(converter=_read_only_tables)
    written: Mapping[str, Mapping[str, Any]] = attrs.field(converter=_read_only_tables, repr=False)
    ledger: str | Secret[str] | Unset
    artifacts: str | Secret[str] | Unset
    endpoint: str
    origins: Mapping[str, Origin] = attrs.field(converter=_read_only, repr=False)
    names: tuple[str, ...]
    secrets: tuple[Secret[str], ...] = attrs.field(repr=False)
    hosts: Mapping[str, Hosting] = attrs.field(factory=dict, converter=_read_only)
    hook_timeout: float | None = None
    artifacts_cache: int | None = None
    package: str = ""
    rollout: RolloutPlan = attrs.field(factory=RolloutPlan)
    includes: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()

    @property
    def lock(self) -> Path:
        """The file with the pins of its plugins: where nothing is pinned, there is none."""
        return self.root / LOCK

    @property
    def unset(self) -> tuple[Unset, ...]:
        """Every value that the environment lacks, used or not."""
        return tuple(unset([dict(self.settings), self.ledger, self.artifacts]))

    def selected(self, role: str) -> tuple[str, ...]:
        """The words that the stack names for a role, in order; none where it lacks the role."""
        return self.roles.get(role, ())

    def plugin_names(self) -> tuple[str, ...]:
        """The names of the stack's plugins, ``<role>-<word>``, in the order of roles and words."""
        return tuple(f"{role}-{word}" for role in ROLES for word in self.selected(role))

    def address(self, key: str) -> str:
        """The ``ledger`` or the ``artifacts``, for who opens it.

        Raises:
            UnsetError: the environment lacks a variable of it.
        """
        value = reveal(getattr(self, key))
        if isinstance(value, Unset):
            raise UnsetError((self._lacking(f"stack.{self.name}", key, value),))
        return str(value)

    def lacking(self, only: Collection[str] | None = None) -> tuple[str, ...]:
        """What the environment lacks of its addresses and its plugins' settings, each in a line.

        Args:
            only: the plugins that count; None for all that the stack names.
        """
        here = f"stack.{self.name}"
        values = [(here, key, getattr(self, key)) for key in ("ledger", "artifacts")]
        values += [
            (f"{here}.{plugin}", key, value)
            for plugin in (self.plugin_names() if only is None else only)
            for key, value in self.settings.get(plugin, {}).items()
        ]
        found = [
            self._lacking(where, key, one) for where, key, value in values for one in unset(value)
        ]
        return tuple(dict.fromkeys(found))

    def _lacking(self, where: str, key: str, value: Unset) -> str:
        return f"{self.origins[f'{where}.{key}']}: [{where}] {key}: {value.problem}"

    def hosting(self, plugin: str) -> Hosting:
        """How core runs a plugin, by its name."""
        said = self.hosts.get(plugin, Hosting())
        if said.hook_timeout is not None:
            return said
        return attrs.evolve(said, hook_timeout=self.hook_timeout)

    def settings_text(self, plugin: str) -> str:
        """A plugin's settings as canonical JSON with every ``${NAME}`` unexpanded."""
        from interlock.codec import canonical

        return canonical(dict(self.written.get(plugin, {}))).decode()
