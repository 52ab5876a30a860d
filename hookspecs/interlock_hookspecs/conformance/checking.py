"""The suites of an installed plugin, run by pytest without a test file of the author's.

A plugin that needs more than its settings, a server or rows of its own, or whose suite has to be
told something, names the subclass that knows, in its distribution:

    [project.entry-points."interlock.conformance"]
    registry-acme = "interlock_registry_acme.conformance:TestAcmeRegistry"

One without a fixture `plugin` gets the plugin that the settings make.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from importlib import metadata
from inspect import getattr_static
from pathlib import Path
from typing import Any

import attrs
import pytest

from interlock_hookspecs import PROJECT, ROLES, SPEC_MODULES, specs
from interlock_hookspecs.conformance.making import CannotCheckError, maker
from interlock_hookspecs.conformance.suite import (
    Outcome,
    Suite,
    implemented,
    missing,
    promise_of,
    reason_of,
)
from interlock_hookspecs.form import breaches, deprecations, import_place, nearest

GROUP = f"{PROJECT}.conformance"
"""The entry points by which a distribution names the suite of a plugin, under the plugin's name."""

_HANGS = 600
"""Seconds after which a promise that is still tried will not be answered."""

_HOME = "interlock_hookspecs.conformance"
_FILE = "test_conformance_{role}.py"
_TEST = """\
import pytest

from {module} import {suite}


class Test{suite}({suite}):
    @pytest.fixture
    def plugin(self, interlock_checked):
        return interlock_checked


del {suite}
"""


class CannotLoadError(Exception):
    """A plugin that cannot be imported, and why."""


@attrs.frozen(kw_only=True)
class Subject:
    """An installed plugin, to be checked.

    Attributes:
        name: ``<role>-<word>``.
        cls: its class.
        distribution, version: who brought it.
        suites: the suites of its role and of every other that it serves: whose hooks it implements,
            those that the role requires among them.
        named: the entry point of the suite that its distribution names and that makes it, or None.
        plain: those of the suites for which its settings alone must make it.
        untried: its hooks of roles that it does not serve, each in a line: their suites begin
            with hooks that it lacks.
        ending: what it uses of the contract that goes away, each in a line.
    """

    name: str
    cls: type[Any]
    distribution: str
    version: str
    suites: tuple[type[Suite], ...]
    named: metadata.EntryPoint | None
    plain: tuple[type[Suite], ...]
    untried: tuple[str, ...]
    ending: tuple[str, ...]


def find(name: str) -> Subject:
    """The plugin of a name, imported, and what it is held against.

    Raises:
        CannotCheckError: none of this name is installed.
        CannotLoadError: it cannot be imported.
    """
    role, _, word = name.partition("-")
    found = metadata.entry_points(group=f"{PROJECT}.{role}", name=word) if role in ROLES else ()
    if len(offering := sorted({one.dist.name for one in found if one.dist})) > 1:
        msg = f"plugin {name} is offered by {' and '.join(offering)}: uninstall all but one"
        raise CannotCheckError(msg)
    for entry_point in found:
        cls: type[Any] = _loaded(name, entry_point)
        named = next(iter(metadata.entry_points(group=GROUP, name=name)), None)
        suites = own = tuple(suite for suite, lacks in _suites(cls, role) if not lacks)
        if named:
            its: type[Suite] = _loaded(GROUP, named)
            makes = getattr_static(its, "plugin") is not getattr_static(Suite, "plugin")
            own = tuple(suite for suite in suites if not issubclass(its, suite))
            own, named = (own, named) if makes else ((its, *own), None)
        return Subject(
            name=name,
            cls=cls,
            distribution=entry_point.dist.name if entry_point.dist else "unknown",
            version=entry_point.dist.version if entry_point.dist else "0",
            suites=suites,
            named=named,
            plain=own,
            untried=tuple(_untried(cls, role)),
            ending=tuple(deprecations(cls)),
        )
    installed = [
        f"{role}-{entry_point.name}"
        for role in ROLES
        for entry_point in metadata.entry_points(group=f"{PROJECT}.{role}")
    ]
    msg = f"no plugin {name!r} is installed{nearest(name, installed)}"
    raise CannotCheckError(msg)


def _loaded(name: str, entry_point: metadata.EntryPoint) -> Any:
    try:
        return entry_point.load()
    except (Exception, SystemExit) as error:
        raised = f"{type(error).__name__}: {error}{import_place(error)}"
        msg = f"{name} cannot be imported ({entry_point.value}): {raised}"
        raise CannotLoadError(msg) from error


def _suites(cls: type[Any], role: str) -> Iterator[tuple[type[Suite], tuple[str, ...]]]:
    """The suite of each module of the contract that has a hook of the plugin's, its own first.

    With each, what its role requires and the plugin lacks; nothing for its own role, whose suite
    says so itself.
    """
    hooks = implemented(cls)
    concerned = {
        spec.function.__module__.rpartition(".")[2]: role in spec.roles
        for spec in specs().values()
        if role in spec.roles or spec.name in hooks
    }
    for module in sorted(concerned, key=lambda one: (not concerned[one], SPEC_MODULES.index(one))):
        suite = suite_of(module)
        yield suite, () if concerned[module] else missing(suite.role, hooks)


def _untried(cls: type[Any], role: str) -> Iterator[str]:
    for suite, lacks in _suites(cls, role):
        if lacks:
            its = [spec.name for spec in specs().values() if suite.role in spec.roles]
            names = ", ".join(name for name in its if name in implemented(cls))
            yield (
                f"{names} is held to no promise: "
                f"the suite of the role {suite.role} needs {', '.join(lacks)}"
            )


def suite_of(module: str) -> type[Suite]:
    """The suite of one module of the contract: of ``registry``, `RegistrySuite`."""
    home = importlib.import_module(f"{_HOME}.{module}")
    suite: type[Suite] = getattr(home, f"{module.capitalize()}Suite")
    return suite


def check(
    subject: Subject,
    assignments: Sequence[str] = (),
    *,
    only: Collection[str] = (),
    tell: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[type[Suite], Outcome]]:
    """Hold a plugin against its suites, and give each outcome with its suite.

    Args:
        subject: which plugin.
        assignments: settings as ``key=value``; see `maker`.
        only: names of tests; all where none is given.
        tell: told how many of how many tests are done.

    Raises:
        CannotCheckError: the settings do not make it, or pytest could not begin.
        CannotLoadError: it is no plugin.
    """
    if assignments and not subject.plain and subject.named:
        msg = f"{subject.name} is made by {subject.named.value}, which --set does not reach"
        raise CannotCheckError(msg)
    make = _maker(subject, assignments) if subject.plain else None
    run = _Run(make, frozenset(only), tell)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        arguments = ["-p", "no:terminal", "-p", "no:cacheprovider", "-c", os.devnull]
        arguments += ["--rootdir", folder, f"--basetemp={home / 'tests'}"]
        # An installed suite is complete; what lies around an editable one is another matter.
        arguments += ["--noconftest", "--pyargs"]
        # One that hangs is ended, and its traceback says where it waits.
        arguments += ["-o", f"faulthandler_timeout={_HANGS}"]
        arguments += ["-o", "faulthandler_exit_on_timeout=true"]
        if subject.named:
            # It is named, so it counts, whether its name begins as a test's or not. Its module has
            # the name by which another process imports it, in a package or not.
            arguments += ["-o", f"python_classes=Test {subject.named.attr}"]
            arguments += ["-o", "consider_namespace_packages=true"]
            arguments.append(f"{subject.named.module}::{subject.named.attr}")
        for suite in subject.plain:
            # In no folder of its own: another process unpickles the class by its module's name.
            place = home / _FILE.format(role=suite.role)
            text = _TEST.format(module=suite.__module__, suite=suite.__name__)
            place.write_text(text, encoding="utf-8")
            arguments.append(str(place))
        arguments.append("--import-mode=importlib")
        code = pytest.main(arguments, plugins=[run])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise CannotCheckError(run.problem or f"pytest ended with {code!r}")
    yield from run.outcomes


def _maker(subject: Subject, assignments: Sequence[str]) -> Callable[[Path], Any]:
    try:
        return maker(subject.cls, assignments, here=Path.cwd())
    except CannotCheckError:
        raise
    except Exception as error:
        wrong = list(breaches(subject.cls, subject.name.partition("-")[0]))
        if not wrong:
            raise
        # No class that settings could make: every promise would be broken by that alone.
        raise CannotLoadError("\n".join(f"{subject.name}: {one}" for one in wrong)) from error


class _Run:
    """What pytest is given: the plugin to check, which tests, and who hears of them."""

    def __init__(
        self,
        make: Callable[[Path], Any] | None,
        only: frozenset[str],
        tell: Callable[[int, int], None] | None,
    ) -> None:
        self._make = make
        self._only = only
        self._tell = tell
        self._total = 0
        self._found: dict[str, tuple[str, str]] = {}
        self.outcomes: list[tuple[type[Suite], Outcome]] = []
        self.problem = ""

    @pytest.fixture
    def interlock_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The plugin, new and empty; what is relative is relative to a folder of the test's."""
        folder = tmp_path / "plugin"
        folder.mkdir()
        monkeypatch.chdir(folder)
        return self._make and self._make(folder)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.problem = str(report.longrepr).strip().splitlines()[-1]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._only:
            items[:] = [item for item in items if _name(item) in self._only]
        self._total = len(items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        found = _fared(report, call)
        if found is not None:
            self._found.setdefault(item.nodeid, found)
        if report.when == "teardown":
            status, why = self._found.pop(item.nodeid, ("held", ""))
            test, suite = _name(item), _suite(item)
            promise = promise_of(getattr(suite, test))
            outcome = Outcome(test=test, promise=promise, status=status, why=why)
            self.outcomes.append((suite, outcome))
            if self._tell is not None:
                self._tell(len(self.outcomes), self._total)
        return report


def _fared(report: pytest.TestReport, call: pytest.CallInfo[None]) -> tuple[str, str] | None:
    """Status and reason of one phase of a test; None where it passed."""
    declared: str | None = getattr(report, "wasxfail", None)
    if report.skipped and declared is not None:
        return "declared", declared.removeprefix("reason: ")
    if report.skipped:
        return "unclaimed", str(call.excinfo.value) if call.excinfo else ""
    if report.failed and call.excinfo is None:
        return "broken", "declared as broken, and it holds"
    if report.failed and call.excinfo is not None:
        return "broken", reason_of(call.excinfo.value)
    return None


def _name(item: pytest.Item) -> str:
    return getattr(item, "originalname", item.name)


def _suite(item: pytest.Item) -> type[Suite]:
    suite: type[Suite] = getattr(item, "cls")  # noqa: B009  (pytest types it on functions only)
    return suite


def named(subject: Subject, names: Iterable[str]) -> frozenset[str]:
    """Tests of a plugin's suites by their names, ``test_`` left out or not.

    Raises:
        CannotCheckError: there is no such test.
    """
    known = {name for suite in subject.suites for name in dir(suite) if name.startswith("test_")}
    found = {f"test_{name.removeprefix('test_')}" for name in names}
    for name in sorted(found - known):
        raise CannotCheckError(f"there is no test {name!r}{nearest(name, known)}")
    return frozenset(found)
