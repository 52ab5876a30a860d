"""The suites of a plugin, run where it is installed: here, or in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs

from interlock.errors import PluginLoadError, UsageError
from interlock.plugins.environment import environ_there, install_line
from interlock_worker.parent import START_SECONDS

_SUITES = "interlock_hookspecs.conformance"
_EXTRA = "interlock-hookspecs[conformance]"
_PROBE = """
from importlib.util import find_spec
names = ("interlock_hookspecs", "numpy", "pyarrow", "pytest")
print(*(name for name in names if find_spec(name) is None), sep=", ")
"""


@attrs.frozen(kw_only=True)
class Checking:
    """What is asked of a plugin's suites.

    Attributes:
        name: the plugin's, ``<role>-<word>``.
        settings: each as ``key=value``.
        only: names of tests; all where none is given.
        python: the interpreter of the plugin's own environment; None for this one.
        as_json: whether the outcome is printed for programs.
    """

    name: str
    settings: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    python: Path | None = None
    as_json: bool = False

    def command(self) -> list[str]:
        """What to run: an interpreter of its own, so that pytest and the plugin stay out of ours.

        Raises:
            PluginLoadError: the plugin's interpreter does not start.
            UsageError: its environment lacks what the suites need.
        """
        # Nothing is imported from where we stand; of another environment, all is its own.
        how = [sys.executable, "-P"]
        if self.python is not None:
            _probe(self.name, self.python)
            how = [str(self.python), "-I"]
        words = [*how, "-m", _SUITES, self.name]
        for option, values in (("--set", self.settings), ("--only", self.only)):
            for value in values:
                words += [option, value]
        return [*words, *(["--json"] if self.as_json else [])]

    def environ(self) -> dict[str, str]:
        """The variables that it runs with."""
        return environ_there() if self.python is not None else dict(os.environ)


def _probe(name: str, python: Path) -> None:
    command = [str(python), "-I", "-c", _PROBE]
    again = f"interlock plugins install {name} --isolated"
    try:
        done = subprocess.run(
            command,
            env=environ_there(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_SECONDS,
            check=True,
        )
    except FileNotFoundError as error:
        msg = f"plugin {name}, python = {python}: there is no such interpreter"
        raise PluginLoadError(msg, hint=again) from error
    except OSError as error:
        msg = f"plugin {name}, python = {python}: it does not start: {error.strerror}"
        raise PluginLoadError(msg, hint=again) from error
    except subprocess.TimeoutExpired as error:
        msg = f"plugin {name}, python = {python}: it gave no answer in {START_SECONDS:g} s"
        raise PluginLoadError(msg, hint=again) from error
    except subprocess.CalledProcessError as error:
        code = error.returncode
        end = f"exit code {code}" if code > 0 else f"signal {-code}"
        msg = f"plugin {name}, python = {python}: it ended with {end} before it was asked"
        raise PluginLoadError(msg, hint=again) from error
    lacking = done.stdout.decode().strip()
    if lacking:
        msg = f"the suites of {name} need {lacking} in its environment"
        raise UsageError(msg, hint=install_line(python, _EXTRA))
