"""What every suite shares: its fixtures, the promises of any plugin, and a runner without files.

An author subclasses the suite of a role and says how the plugin is made:

    class TestAcme(RegistrySuite):
        @pytest.fixture
        def plugin(self, tmp_path):
            return AcmeRegistry(root=tmp_path)

A test's docstring is the promise, and the message of its assertion says how it was broken.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
import traceback
import typing
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import attrs
import pytest

from interlock_hookspecs import PluginError, left_out, specs, type_hints
from interlock_hookspecs.conformance.leaks import SECRET, said_by, with_secrets
from interlock_hookspecs.conformance.state import no_thread_left, put_back, staying, unchanged
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_hookspecs.form import breaches, deprecations, implementations, omissions

_HERE = Path(__file__).parent


class Suite:
    """The promises of a plugin of any role.

    Attributes:
        role: whose hooks the plugin must implement.
        cannot: promises that this backend does not keep, by test name, each with the reason. They
            show as expected failures, and fail as soon as they are kept after all.
    """

    role: ClassVar[str] = ""
    cannot: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        for name in cls.cannot:
            if not hasattr(cls, name):
                msg = f"{cls.__name__}.cannot names {name!r}, and the suite has no such test"
                raise TypeError(msg)

    @pytest.fixture
    def plugin(self) -> Any:
        """The plugin under test, new and empty. The author's subclass gives it.

        Raises:
            NotImplementedError: it does not.
        """
        msg = f"{type(self).__name__} needs a fixture `plugin` that makes the plugin"
        raise NotImplementedError(msg)

    @pytest.fixture
    def ws(self, tmp_path: Path) -> LocalWorkspace:
        """A workspace of the test's own."""
        return LocalWorkspace(tmp_path / "workspace")

    @pytest.fixture(autouse=True)
    def _declared(self, request: pytest.FixtureRequest) -> None:
        reason = self.cannot.get(request.node.originalname)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture(autouse=True)
    def _staying(self) -> Iterator[None]:
        with staying():
            yield

    def test_it_keeps_to_the_form(self, plugin: Any) -> None:
        """It is a plugin of this contract, with the hooks of its role and their arguments."""
        found = [*breaches(type(plugin), self.role)] or [*omissions(plugin, self.role)]
        assert not found, "\n".join(found)
        for text in deprecations(type(plugin)):
            warnings.warn(text, DeprecationWarning, stacklevel=2)

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (those of the suites of the roles)
        """Let the plugin do what its role does on an ordinary day; a role's suite says what."""
        pytest.skip(f"nothing ordinary is asked of the role {self.role}")

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (likewise)
        """Ask the plugin for something that it refuses; a role's suite says for what."""
        pytest.skip(f"nothing is refused by the role {self.role}")

    def test_it_leaves_the_process_as_it_was(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A call leaves the folder, environment, warnings and random numbers of the process."""
        with no_thread_left("a call"):
            with put_back():
                self.exercise(plugin, ws)
            with unchanged("a call"):
                self.exercise(another(plugin), ws)

    def test_no_error_shows_a_secret(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Whatever goes wrong with a secret setting, no error shows it."""
        for name, made in with_secrets(plugin):
            said = ""
            try:
                self.provoke(made, ws)
            except Exception as error:  # noqa: BLE001  (whatever is raised, it tells no secret)
                said = said_by(error)
            assert SECRET not in said, f"an error shows the secret setting {name!r}"

    def test_a_secret_setting_is_not_printed(self, plugin: Any) -> None:
        """The repr of a plugin shows no setting that came from the environment."""
        for name, made in with_secrets(plugin):
            assert SECRET not in repr(made), f"the repr shows the secret setting {name!r}"


def hooks_of(plugin: Any) -> dict[str, Callable[..., Any]]:
    """What a plugin marks with ``@hookimpl``, bound, by name; without what it leaves out."""
    without = left_out(plugin)
    return {
        name: getattr(plugin, name) for name in implemented(type(plugin)) if name not in without
    }


def implemented(cls: type[Any]) -> tuple[str, ...]:
    """The names of what a plugin's class marks with ``@hookimpl``."""
    return tuple(implementations(cls))


def missing(role: str, hooks: Collection[str]) -> tuple[str, ...]:
    """The hooks that a role requires, and that are neither among some hooks nor stood in for."""
    own = [spec for spec in specs().values() if role in spec.roles]
    there = {*hooks, *(spec.instead for spec in own if spec.name in hooks)}
    return tuple(
        spec.name for spec in own if spec.required and not spec.instead and spec.name not in there
    )


def has(plugin: Any, hook: str) -> bool:
    """Whether a plugin claims an optional hook: a capability."""
    return hook in hooks_of(plugin)


def needs(plugin: Any, hook: str) -> None:
    """Leave a test, saying so, where the plugin does not claim an optional hook."""
    if not has(plugin, hook):
        pytest.skip(f"optional: the plugin does not implement {hook}")


def ask(plugin: Any, hook: str, **arguments: Any) -> Any:
    """What a plugin answers to a hook, called as core does.

    It is given those of the arguments that it asks for. An answer of another type than the
    contract says breaks the promise; a list of records comes back as a tuple.
    """
    function = getattr(plugin, hook)
    wanted = inspect.signature(function).parameters
    answer = function(**{name: value for name, value in arguments.items() if name in wanted})
    promised = type_hints(specs()[hook].function)["return"]
    if typing.get_origin(promised) is tuple:
        record = typing.get_args(promised)[0]
        assert isinstance(answer, list | tuple), f"{hook} gives {_kind(answer)}, and no list"
        for item in answer:
            assert isinstance(item, record), f"{hook} gives a list with {_kind(item)} in it"
        return tuple(answer)
    assert isinstance(answer, promised), f"{hook} gives {_kind(answer)}, not {promised}"
    return answer


def _kind(value: object) -> str:
    return type(value).__name__


def another(plugin: Any) -> Any:
    """A second instance with the same settings: what another process has in hand."""
    return attrs.evolve(plugin)


@attrs.define
class Caught:
    """The error that a `must_raise` block raised, once it is over."""

    value: Any = None


@contextlib.contextmanager
def must_raise(kind: type[PluginError], otherwise: str) -> Iterator[Caught]:
    """Expect an error of exactly this kind of the contract's.

    Args:
        kind: which.
        otherwise: the promise that is broken where nothing, or something else, is raised.
    """
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.value = error
    except Exception as error:
        msg = f"{otherwise}: {type(error).__name__} is raised where {kind.__name__} is promised"
        raise AssertionError(msg) from error
    else:
        msg = f"{otherwise}: nothing is raised where {kind.__name__} is promised"
        raise AssertionError(msg)


@attrs.frozen(kw_only=True)
class Outcome:
    """How one promise fared.

    Attributes:
        test: the name of its test.
        promise: the sentence that states it.
        status: ``held``, ``broken``, ``declared`` broken, or ``unclaimed``: an optional hook that
            the plugin lacks.
        why: what broke it, or why it was not asked.
    """

    test: str
    promise: str
    status: str
    why: str = ""


def run(
    suite: type[Suite],
    make: Callable[[Path], Any],
    *,
    only: Collection[str] = (),
    fixtures: Mapping[str, Callable[[Path], Any]] = MappingProxyType({}),
) -> Iterator[Outcome]:
    """Try every promise of a suite on a plugin, without pytest: for testing the suites themselves.

    Args:
        suite: which promises.
        make: makes the plugin, new and empty, in the folder it is given.
        only: the names of the tests to try; all where none is named.
        fixtures: makes what a test asks for beside ``plugin``, ``ws`` and ``tmp_path``, by name,
            each in a folder of its own.
    """
    own: dict[str, Callable[[Path], Any]] = {"ws": LocalWorkspace, "tmp_path": Path}
    made = {**own, **fixtures, "plugin": make}
    for name, function in inspect.getmembers(suite, inspect.isfunction):
        if not name.startswith("test_") or (only and name not in only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            status, why = _tried(suite(), function, made, Path(folder))
        if name in suite.cannot:
            declared = status == "broken"
            status = "declared" if declared else "broken"
            why = suite.cannot[name] if declared else "declared as broken, and it holds"
        yield Outcome(test=name, promise=promise_of(function), status=status, why=why)


def promise_of(function: Callable[..., Any]) -> str:
    """The sentence that a test of a suite holds a plugin to."""
    return (inspect.getdoc(function) or function.__name__).partition("\n")[0]


def _tried(
    suite: Suite,
    function: Callable[..., Any],
    made: Mapping[str, Callable[[Path], Any]],
    folder: Path,
) -> tuple[str, str]:
    given = {}
    try:
        for name in inspect.signature(function).parameters:
            if name != "self":
                (folder / name).mkdir()
                given[name] = made[name](folder / name)
        with staying():
            function(suite, **given)
    except pytest.skip.Exception as skipped:
        return "unclaimed", str(skipped)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  (whatever a plugin raises breaks the promise)
        return "broken", reason_of(error)
    return "held", ""


def reason_of(error: BaseException) -> str:
    """Why a promise is broken: the words of its assertion, or what the plugin raised."""
    # pytest writes the compared values below the words of an assertion.
    text = str(error).partition("\nassert ")[0]
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return text
    return f"{type(error).__name__}: {text}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where the code that a suite called raised: the plugin's own line, not its library's."""
    frames = list(traceback.walk_tb(error.__traceback__))
    files = [Path(frame.f_code.co_filename) for frame, _ in frames]
    suites = [place for place, file in enumerate(files) if file.parent == _HERE]
    place = suites[-1] + 1 if suites else len(frames)
    return f" ({files[place].name}, line {frames[place][1]})" if place < len(frames) else ""
