"""The units of the page on services, held to the commands, the settings and systemd itself."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.cli.main import cli
from interlock.errors import REFUSED, USAGE
from interlock_serving import ServerSettings

PAGE = Path(__file__).parents[2] / "docs/how-to/run-as-a-service.md"
UNIT = re.compile(r"^```\{code-block\} ini\n:caption: (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOUND = UNIT.findall(PAGE.read_text(encoding="utf-8"))
ELSEWHERE = re.compile(r"^(?:User|WorkingDirectory|EnvironmentFile)=.*\n", re.MULTILINE)
RECORDING = 5
"""Seconds for which an ended server records, at most."""


def read(text):
    """A unit as its sections."""
    unit = configparser.ConfigParser(interpolation=None, delimiters="=")
    unit.optionxform = str
    unit.read_string(text)
    return unit


def test_there_are_units_of_each_kind():
    """For the machine and for an account, and a schedule."""
    names = [caption for caption, _ in FOUND]
    assert len(names) == 5
    assert {Path(name).suffix for name in names} == {".service", ".timer"}
    assert any(name.startswith("~/") for name in names)


@pytest.mark.parametrize(("caption", "text"), FOUND, ids=[caption for caption, _ in FOUND])
def test_a_unit_types_a_command_that_there_is(caption, text):
    """With the options that it has; a server has the time that its settings promise."""
    service = dict(read(text)["Service"]) if caption.endswith(".service") else {}
    words = service.get("ExecStart", "").split()
    if not words or not words[0].endswith("/interlock"):
        return
    assert words[0].startswith(service["WorkingDirectory"])
    command = cli.get_command(None, words[1])
    assert command is not None, words
    assert set(words[2::2]) <= {name for param in command.params for name in param.opts}
    if words[1] == "serve":
        assert int(service["TimeoutStopSec"]) > ServerSettings().drain_seconds + RECORDING
        assert service["RestartPreventExitStatus"] == f"{USAGE} {REFUSED}"


@pytest.mark.real_backend
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("account", [False, True], ids=["of the machine", "of an account"])
def test_systemd_takes_the_units(tmp_path, account):
    """Every key and value, as systemd reads them; programs of the page are stood in for."""
    written = []
    for caption, text in FOUND:
        if caption.startswith("~/") is account:
            here = re.sub(r"[^\s=]+/\.venv/bin/interlock|/usr/bin/\w+", sys.executable, text)
            # The account and the folders of the page are not on this machine.
            here = ELSEWHERE.sub("", here)
            written.append(tmp_path / Path(caption).name)
            written[-1].write_text(here, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(["--user"] if account else ["--system"]), *written],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "interlock-" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr
