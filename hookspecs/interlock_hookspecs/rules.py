"""Who is asked, and what a plugin is: the rules of the hooks and the decorators of both sides."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypedDict,
    TypeVar,
    Unpack,
    dataclass_transform,
)

import attrs
import pluggy

from interlock_hookspecs.evolution import Deprecation

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "interlock"
"""pluggy's name for our markers; entry-point groups are ``interlock.<role>``."""

ROLES = (
    "data",
    "train",
    "model",
    "validate",
    "registry",
    "govern",
    "deploy",
    "monitor",
    "track",
    "events",
)
"""The roles of a stack, in the order of a model's life. A plugin is named ``<role>-<word>``."""

Rule = Literal["one", "first", "every", "owner", "observe"]

SENTENCES: Mapping[Rule, str] = MappingProxyType(
    {
        "one": "Asked: the only plugin of the stack that implements it.",
        "first": "Asked: plugins in stack order, until one answers something other than None.",
        "every": "Asked: all plugins; their lists are joined in stack order.",
        "owner": "Asked: the plugin that the first argument names.",
        "observe": "Asked: all plugins; nothing comes back, and one that fails silences no other.",
    }
)
"""The fixed sentence that states a rule, in every hook's documentation."""

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a method of a plugin, or a function of a project's module, as the answer to a hook."""

_hookspec = pluggy.HookspecMarker(PROJECT)
_SPEC = "_interlock_spec"
_CONTRACT = "_interlock_contract"
_KINDS = "_interlock_kinds"
_MEASURES = "_interlock_measures"
_LEFT_OUT = "hooks_left_out"


class Going(TypedDict, total=False):
    """What a specification says of its end: of the hook's own, and of its arguments'."""

    deprecated: Deprecation
    arguments: Mapping[str, Deprecation]


_NONE: Mapping[str, Deprecation] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Spec:
    """One hook of the contract.

    Attributes:
        name: the hook's name, which an implementation carries.
        rule: who is asked.
        roles: the roles whose plugins the hook is for; most hooks are for one.
        required: whether every plugin of the role must implement it.
        instead: the name of a required hook that this one stands in for.
        function: the specification itself: its signature, its types and its documentation.
        deprecated: that the hook goes away, and what to implement instead.
        arguments: those of its arguments that go away, or went.
    """

    name: str
    rule: Rule
    roles: tuple[str, ...]
    required: bool
    instead: str | None
    function: Callable[..., Any]
    deprecated: Deprecation | None = None
    arguments: Mapping[str, Deprecation] = attrs.field(factory=dict, eq=False)

    @property
    def role(self) -> str:
        """The first of its roles: where the reference lists it."""
        return self.roles[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names an implementation may ask for."""
        names = inspect.signature(self.function).parameters
        gone = {name for name, deprecation in self.arguments.items() if deprecation.gone}
        return tuple(name for name in names if name not in gone)

    def ending(self, function: Callable[..., Any]) -> Iterator[str]:
        """What an implementation uses of what goes away, each in a line."""
        if self.deprecated is not None:
            yield f"hook {self.name} is {self.deprecated}"
        for parameter in inspect.signature(function).parameters:
            if parameter in self.arguments:
                yield f"argument {parameter!r} of hook {self.name} is {self.arguments[parameter]}"


def _specification(
    rule: Rule,
    *roles: str,
    required: bool = False,
    instead: str | None = None,
    deprecated: Deprecation | None = None,
    arguments: Mapping[str, Deprecation] = _NONE,
) -> Callable[[F], F]:
    def mark(function: F) -> F:
        spec = Spec(
            name=function.__name__,
            rule=rule,
            roles=roles,
            # Nobody is asked to write what goes away.
            required=required and deprecated is None,
            instead=instead,
            function=function,
            deprecated=deprecated,
            arguments=MappingProxyType(dict(arguments)),
        )
        setattr(function, _SPEC, spec)
        return _hookspec(function)

    return mark


def one(
    role: str, *, required: bool = True, instead: str | None = None, **going: Unpack[Going]
) -> Callable[[F], F]:
    """A specification that the only plugin implementing it answers; two are an error at load."""
    return _specification("one", role, required=required, instead=instead, **going)


def first(role: str, *, required: bool = True, **going: Unpack[Going]) -> Callable[[F], F]:
    """A specification that plugins are asked in stack order until one answers."""
    return _specification("first", role, required=required, **going)


def every(role: str, *, required: bool = False, **going: Unpack[Going]) -> Callable[[F], F]:
    """A specification that all plugins answer with a list of records."""
    return _specification("every", role, required=required, **going)


def owner(role: str, *, required: bool = True, **going: Unpack[Going]) -> Callable[[F], F]:
    """A specification answered by the plugin that the first argument names."""
    return _specification("owner", role, required=required, **going)


def observe(*roles: str, **going: Unpack[Going]) -> Callable[[F], F]:
    """A specification that everybody hears and nobody answers."""
    return _specification("observe", *roles, **going)


def spec_of(function: Callable[..., Any]) -> Spec | None:
    """The specification that a function of the contract carries, or None."""
    found = getattr(function, _SPEC, None)
    return found if isinstance(found, Spec) else None


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(attrs.field,))
def plugin(
    *,
    contract: str,
    kinds: tuple[str, ...] | None = None,
    measures: Mapping[str, tuple[str, ...]] | tuple[str, ...] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Make a class a plugin: its fields are its settings, its hook implementations its work.

    Two instances never compare equal (pluggy refuses to register two that do), fields are
    keyword-only, and a `Secret` shows as ``***`` in the repr.

    Args:
        contract: the contract version that the plugin was written for, for example ``"1.0"``.
        kinds: the kinds of task that it serves; a stack whose task is of another is refused when
            it loads. None for a plugin to which the kind makes no difference.
        measures: every name that a check or a finding of it can have, without subjects; by kind of
            task where that makes a difference. A bound on any other is then refused before
            anything runs. None where they are not known beforehand.

    >>> @plugin(contract="1.0")
    ... class Echo:
    ...     prefix: str = setting("", doc="put before every event")
    ...
    ...     @hookimpl
    ...     def on_event(self, event: object) -> None:
    ...         print(self.prefix, event)
    >>> Echo(prefix=">"), contract_of(Echo)
    (Echo(prefix='>'), '1.0')
    """
    each = measures.values() if isinstance(measures, Mapping) else [measures or ()]
    if any(isinstance(names, str) for names in each):
        msg = 'measures: expected a tuple of names, as ("accuracy",)'
        raise TypeError(msg)

    def make(cls: type[T]) -> type[T]:
        made = attrs.define(eq=False, kw_only=True)(cls)
        setattr(made, _CONTRACT, contract)
        setattr(made, _KINDS, kinds)
        setattr(made, _MEASURES, measures)
        return made

    return make


def contract_of(cls: type[Any]) -> str | None:
    """The contract version that a plugin states, or None where the class is no plugin."""
    found = getattr(cls, _CONTRACT, None)
    return found if isinstance(found, str) else None


def kinds_of(cls: type[Any]) -> tuple[str, ...] | None:
    """The kinds of task that a plugin says it serves, or None where it serves any."""
    found = getattr(cls, _KINDS, None)
    return found if isinstance(found, tuple) else None


def measures_of(cls: type[Any], kind: str | None) -> frozenset[str] | None:
    """Every name that a check or a finding of a plugin can have, or None where it does not say.

    Args:
        cls: a plugin's class.
        kind: of the task; None where there is none.

    >>> @plugin(contract="1.0", measures={"binary": ("roc_auc", "rows"), "regression": ("rmse",)})
    ... class Quality:
    ...     pass
    >>> sorted(measures_of(Quality, "binary")), measures_of(Quality, "multiclass")
    (['roc_auc', 'rows'], None)
    """
    found = getattr(cls, _MEASURES, None)
    names = found.get(kind) if isinstance(found, Mapping) else found
    return None if names is None else frozenset(names)


def left_out(instance: object) -> frozenset[str]:
    """The hooks that a plugin has and does not answer, as it is configured.

    A plugin for several backends, of which each can do something else, names them in a property or
    an attribute ``hooks_left_out``. It is read once, when a stack loads; to whoever asks, a hook
    that is left out is one that the plugin lacks. A role's required hooks have to remain.

    Args:
        instance: a configured plugin, or a project's module.

    >>> @plugin(contract="1.0")
    ... class Talk:
    ...     quiet: bool = setting(False, doc="say nothing")
    ...
    ...     @property
    ...     def hooks_left_out(self) -> tuple[str, ...]:
    ...         return ("on_event",) if self.quiet else ()
    ...
    ...     @hookimpl
    ...     def on_event(self, event: object) -> None:
    ...         print(event)
    >>> sorted(left_out(Talk(quiet=True))), sorted(left_out(Talk()))
    (['on_event'], [])
    """
    try:
        named = getattr(instance, _LEFT_OUT)
    except AttributeError:
        if hasattr(type(instance), _LEFT_OUT):
            raise  # a fault of the property's own
        named = ()
    if isinstance(named, str) or not all(isinstance(name, str) for name in named):
        msg = f"{_LEFT_OUT}: expected a tuple of names of hooks"
        raise TypeError(msg)
    return frozenset(named)


def setting(
    default: Any = attrs.NOTHING,
    *,
    doc: str,
    validator: Any = None,
) -> Any:
    """A field of a plugin that the stack file may set.

    A field whose annotation admits `Secret` (``url: str | Secret[str]``) also takes ``${NAME}``
    from the environment; read it with `reveal` inside the hook. A mutable default is given by
    ``attrs.Factory``. Fields that are not settings are ``attrs.field(init=False)``, and
    `project_root` for the project's folder.

    Args:
        default: the value where the stack file says nothing; without one the setting is required.
        doc: what it does, with its unit; shown by ``stack schema`` and ``plugins list``.
        validator: an attrs validator; its message must not print the value.
    """
    return attrs.field(default=default, validator=validator, metadata={"doc": doc})


def project_root() -> Any:
    """A field of a plugin that core fills with the project's folder; it is no setting.

    For what a setting names relative to the project: the current folder of the process is
    whatever the user's shell was in. Without core it is the current folder.

    >>> from pathlib import Path
    >>> @plugin(contract="1.0")
    ... class Notes:
    ...     file: str = setting("notes.txt", doc="relative to the project")
    ...     root: Path = project_root()
    >>> notes = Notes(root=Path("/srv/employment"))
    >>> (notes.root / notes.file).as_posix()
    '/srv/employment/notes.txt'
    >>> [field.name for field in attrs.fields(Notes) if "doc" in field.metadata]
    ['file']
    """
    return attrs.field(factory=_current_folder, metadata={"interlock": "root"})


def _current_folder() -> Path:
    from pathlib import Path

    return Path()
