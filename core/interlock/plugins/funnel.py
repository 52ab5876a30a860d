"""The one place where hooks are called.

pluggy registers and verifies; it does not call. Its own call drops None, forgets who answered,
runs the last registered first and stops everybody at the first exception. Here every call knows
its rule, checks the type of what comes back, is timed, stamps the maker, and names the culprit.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple, get_args, get_origin

import attrs
import pluggy

from interlock.errors import ArtifactError, HookFailed, UnsetError, UsageError
from interlock.plugins.limits import HookTimeout, within
from interlock.plugins.watch import UNANSWERED, Called, Watcher
from interlock.stack.hosting import without_hosting
from interlock_hookspecs import PROJECT, Maker, PluginError, left_out, type_hints
from interlock_hookspecs.form import contract
from interlock_worker.errors import WorkerFailed
from interlock_worker.hooks import ENDLESS


@attrs.frozen(kw_only=True, eq=False)
class Member:
    """A plugin of a loaded stack.

    Attributes:
        maker: its name, version and settings, as stamped on what it makes.
        plugin: the instance, or the project's module.
        roles: the roles that it serves in this stack.
        hook_timeout: seconds that a hook of it may take in this process; None for any time.
        left_out: the hooks that it does not answer as it is configured.
        unset: what whoever asks it is told where the environment lacks variables of its settings.
    """

    maker: Maker
    plugin: Any
    roles: tuple[str, ...] = ()
    hook_timeout: float | None = None
    left_out: frozenset[str] = attrs.field(
        default=attrs.Factory(lambda self: left_out(self.plugin), takes_self=True)
    )
    unset: UnsetError | None = None


class _Call(NamedTuple):
    """One implementation, ready to be called."""

    function: Callable[..., Any]
    argnames: tuple[str, ...]
    member: Member


@attrs.define
class Timing:
    """How often a plugin was asked one hook, and for how many seconds in all."""

    calls: int = 0
    seconds: float = 0.0


class Funnel:
    """Calls hooks on the members of a stack, in stack order.

    Args:
        members: in the order of the stack file, the project's module last.
        find_owner: gives the member for a name that no member has: an opener of a recorded
            format, or the plugin that made a record before the stack swapped it.

    Raises:
        UsageError: two members implement a hook that only one may answer.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        find_owner: Callable[[Maker | str], Member] | None = None,
    ) -> None:
        self.members = tuple(members)
        self.timings: dict[tuple[str, str], Timing] = {}
        self.watcher: Watcher | None = None
        self._find_owner = find_owner
        # By name and settings; None for the settings of this stack.
        self._owners: dict[tuple[str, str | None], Member] = {
            (member.maker.plugin, None): member for member in members
        }
        self._calls: dict[str, tuple[_Call, ...]] = {}
        self._types: dict[str, tuple[type[Any], ...]] = {}
        manager = pluggy.PluginManager(PROJECT)
        hooks = {name: spec.function for name, spec in contract().items()}
        manager.add_hookspecs(type("Contract", (), hooks))
        for member in self.members:
            manager.register(member.plugin, member.maker.plugin)
        manager.check_pending()
        places = {id(member.plugin): place for place, member in enumerate(self.members)}
        for name in contract():
            found = sorted(
                getattr(manager.hook, name).get_hookimpls(),
                key=lambda found: places[id(found.plugin)],
            )
            self._calls[name] = tuple(
                _Call(impl.function, impl.argnames, member)
                for impl in found
                if name not in (member := self.members[places[id(impl.plugin)]]).left_out
            )
        self._refuse_rivals()

    def _refuse_rivals(self) -> None:
        for name, calls in self._calls.items():
            if contract()[name].rule == "one" and len(calls) > 1:
                rivals = " and ".join(str(call.member.maker) for call in calls)
                msg = f"both {rivals} implement {name}, which only one plugin of a stack may answer"
                raise UsageError(msg, hint="name one of them in the stack file")

    def has(self, hook: str) -> bool:
        """Whether anybody in the stack implements a hook."""
        return bool(self._calls[hook])

    def asks(self, hook: str, argument: str) -> bool:
        """Whether anybody who implements a hook takes this argument of it."""
        return any(argument in call.argnames for call in self._calls[hook])

    def makers(self, hook: str) -> tuple[Maker, ...]:
        """Who implements a hook, in stack order."""
        return tuple(call.member.maker for call in self._calls[hook])

    def inputs(self, hook: str) -> tuple[Maker, ...]:
        """Who implements a hook, as far as it decides what comes out: not where or how long."""
        return tuple(
            attrs.evolve(maker, settings=without_hosting(maker.settings))
            for maker in self.makers(hook)
        )

    def one(self, hook: str, **arguments: Any) -> Any:
        """The answer of the only plugin that implements the hook.

        Raises:
            UsageError: nobody in the stack does.
            HookFailed: it raised, or gave something of another type.
        """
        calls = self._calls[hook]
        if not calls:
            raise self._nobody(hook)
        return self._single(hook, calls[0], arguments)

    def first(self, hook: str, **arguments: Any) -> Any:
        """The first answer other than None, in stack order.

        Raises:
            UsageError: nobody implements it, or everybody who does answered None.
            HookFailed: a plugin raised before one answered.
        """
        calls = self._calls[hook]
        if not calls:
            raise self._nobody(hook)
        for call in calls:
            answer = self._single(hook, call, arguments)
            if answer is not None:
                return answer
        asked = ", ".join(str(call.member.maker) for call in calls)
        subject = next(iter(arguments.values()))
        named = getattr(subject, "source", subject)
        msg = f"{hook}: nobody answered for {named!r}; asked: {asked}"
        raise UsageError(msg, hint="name a plugin in the stack file that can")

    def every(self, hook: str, **arguments: Any) -> tuple[Any, ...]:
        """All answers, flattened in stack order, each stamped with its maker.

        Raises:
            HookFailed: a plugin raised or gave something else than a list of the hook's record.
        """
        gathered: list[Any] = []
        for call in self._calls[hook]:
            gathered += self._list(hook, call, arguments)
        return tuple(gathered)

    def owner(self, hook: str, owner: Maker | str, **arguments: Any) -> Any:
        """The answer of the plugin that the first argument names.

        Args:
            hook: which hook.
            owner: the maker of a record, who answers configured as it was then; or a plugin's
                name, which answers as this stack configures it.
            arguments: the hook's arguments.

        Raises:
            UsageError: that plugin is not installed, or lacks the hook.
            HookFailed: it raised or gave something of another type.
        """
        member = self._owner(owner)
        function = getattr(member.plugin, hook, None)
        if function is None or hook in member.left_out:
            how = " as it is configured" if function is not None else ""
            msg = f"plugin {member.maker} has no {hook}{how}: it cannot do this"
            raise UsageError(msg)
        argnames = tuple(name for name in contract()[hook].parameters if _takes(function, name))
        call = _Call(function, argnames, member)
        if not _gives_list(hook):
            return self._single(hook, call, arguments)
        return tuple(self._list(hook, call, arguments))

    def can(self, hook: str, owner: Maker | str) -> bool:
        """Whether the plugin that a record or a name leads to answers a hook.

        Raises:
            UsageError: it is not installed.
        """
        member = self._owner(owner)
        return hasattr(member.plugin, hook) and hook not in member.left_out

    def member(self, owner: Maker | str) -> Member:
        """The plugin that a record or a name leads to, as `owner` finds it.

        Raises:
            UsageError: it is not installed.
        """
        return self._owner(owner)

    def observe(self, hook: str, **arguments: Any) -> tuple[HookFailed, ...]:
        """Tell everybody; what failed comes back, so that the caller can warn of it."""
        failed = []
        for call in self._calls[hook]:
            try:
                self._ask(hook, call, arguments)
            except HookFailed as error:
                failed.append(error)
            except UnsetError as error:
                failed.append(self._failed(hook, call, error, str(error)))
        return tuple(failed)

    def _owner(self, owner: Maker | str) -> Member:
        name, settings = (owner, None) if isinstance(owner, str) else (owner.plugin, owner.settings)
        member = self._owners.get((name, None))
        if member is not None and (settings is None or _same_work(settings, member.maker)):
            return member
        if (name, settings) not in self._owners:
            if self._find_owner is None:
                msg = f"plugin {name} is not in this stack"
                raise UsageError(msg)
            self._owners[name, settings] = self._find_owner(owner)
        return self._owners[name, settings]

    def _single(self, hook: str, call: _Call, arguments: dict[str, Any]) -> Any:
        answer = self._ask(hook, call, arguments)
        expected = self._expected(hook)
        if not isinstance(answer, expected):
            wanted = " or ".join(kind.__name__.replace("NoneType", "None") for kind in expected)
            raise self._wrong_type(hook, call, answer, wanted)
        return _stamped(answer, call.member.maker)

    def _list(self, hook: str, call: _Call, arguments: dict[str, Any]) -> list[Any]:
        expected = self._expected(hook)
        answer = self._ask(hook, call, arguments)
        if not isinstance(answer, list | tuple):
            raise self._wrong_type(hook, call, answer, f"a list of {expected[0].__name__}")
        maker, stamped = call.member.maker, []
        for record in answer:
            if not isinstance(record, expected):
                wanted = f"{expected[0].__name__} in its list"
                raise self._wrong_type(hook, call, record, wanted)
            stamped.append(_stamped(record, maker))
        return stamped

    def _ask(self, hook: str, call: _Call, arguments: dict[str, Any]) -> Any:
        if call.member.unset is not None:
            raise call.member.unset
        answer, failure = UNANSWERED, None
        limit = None if hook in ENDLESS else call.member.hook_timeout
        started = perf_counter()
        try:
            given = [arguments[name] for name in call.argnames]
            answer = within(limit, f"{call.member.maker}, {hook}", call.function, given)
        except (HookTimeout, WorkerFailed, ArtifactError) as error:
            failure = self._failed(hook, call, error, str(error), hint=error.hint)
            raise failure from error
        except PluginError as error:
            # The workspace tells a plugin of a store in the contract's words, from core's own.
            hint = getattr(error.__cause__, "hint", "")
            failure = self._failed(hook, call, error, str(error), hint=hint)
            raise failure from error
        except (Exception, SystemExit) as error:
            # A plugin that exits must not end the command with an exit code of its choice.
            failure = self._failed(hook, call, error, f"{type(error).__name__}: {error}")
            raise failure from error
        finally:
            seconds = perf_counter() - started
            timing = self.timings.get((hook, call.member.maker.plugin))
            if timing is None:
                timing = self.timings[hook, call.member.maker.plugin] = Timing()
            timing.calls += 1
            timing.seconds += seconds
            if self.watcher is not None:
                told = Called(
                    hook=hook,
                    maker=call.member.maker,
                    arguments={name: arguments[name] for name in call.argnames},
                    answer=answer,
                    error=failure,
                    started=started,
                    seconds=seconds,
                )
                self.watcher.called(told)
        return answer

    def _expected(self, hook: str) -> tuple[type[Any], ...]:
        expected = self._types.get(hook)
        if expected is None:
            expected = tuple(_runtime(type_hints(contract()[hook].function)["return"]))
            self._types[hook] = expected
        return expected

    @staticmethod
    def _failed(
        hook: str, call: _Call, error: BaseException, text: str, *, hint: str = ""
    ) -> HookFailed:
        error.add_note(f"plugin {call.member.maker}, hook {hook}")
        return HookFailed(text, plugin=str(call.member.maker), hook=hook, hint=hint)

    def _wrong_type(self, hook: str, call: _Call, found: Any, wanted: str) -> HookFailed:
        text = f"gave {type(found).__name__}, expected {wanted}"
        failure = HookFailed(text, plugin=str(call.member.maker), hook=hook)
        if self.watcher is not None:
            self.watcher.refused(failure)
        return failure

    def _nobody(self, hook: str) -> UsageError:
        role = contract()[hook].role
        members = ", ".join(str(member.maker) for member in self.members) or "none"
        msg = f"no plugin of this stack implements {hook} (plugins: {members})"
        return UsageError(msg, hint=f"name one in the stack file: {role} = ...")


def _same_work(settings: str, maker: Maker) -> bool:
    """Whether settings on record are those of a plugin today; where it runs makes no difference."""
    return settings == maker.settings or without_hosting(settings) == without_hosting(
        maker.settings
    )


@functools.cache
def _gives_list(hook: str) -> bool:
    return get_origin(type_hints(contract()[hook].function)["return"]) is tuple


def _takes(function: Callable[..., Any], name: str) -> bool:
    import inspect

    return name in inspect.signature(function).parameters


def _stamped(record: Any, maker: Maker) -> Any:
    """The record with its maker.

    A record that nobody stamped is stamped in place, through its frozenness: ``maker`` is the
    funnel's field, and a copy through attrs would cost ten times the rest of the call. One that
    carries another stamp is copied: a plugin may hand on another's record, or a constant.
    """
    stamp = getattr(record, "maker", _NO_FIELD)
    if stamp is _NO_FIELD or stamp is maker:
        return record
    if stamp is None:
        object.__setattr__(record, "maker", maker)
        return record
    return attrs.evolve(record, maker=maker)


_NO_FIELD = object()


def _runtime(hint: Any) -> Iterator[type[Any]]:
    """The classes that an annotation lets through; a tuple's are those of its members."""
    origin = get_origin(hint)
    if origin is types.UnionType:
        for part in get_args(hint):
            yield from _runtime(part)
    elif origin is tuple:
        yield from _runtime(get_args(hint)[0])
    else:
        yield hint
