"""The tutorials, and the guide to a swap, typed as they stand."""

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs/tutorial").glob("*.md")), ROOT / "docs/how-to/swap-a-tool.md"]
FENCE = re.compile(r"^```(\{code-block\} )?(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
THINGS = re.compile(
    r"http://127\.0\.0\.1:\d+|\b(?:run|release|deployment|version|ledger)-[0-9a-f]{8,}"
)
NUMBERS = re.compile(
    r"\b(\d+ (?:passed|skipped|held|broken|unclaimed))\b"  # counted by a suite: the page's are true
    r"|\b[0-9a-f]{12}\b|\d[\d.,:]*\d|\d|sha256:[0-9a-f]+"
)
# What pytest adds to the seconds of a run that took more than a minute.
CLOCK = re.compile(r" \(\d+:\d\d:\d\d\)$")
ACTOR = "you"


def blocks(text):
    """The fenced blocks of a page in order: language, options, content."""
    for fence in FENCE.finditer(text):
        options = dict(re.findall(r"^:(\w+): (.*)$", fence[3], re.MULTILINE))
        content = re.sub(r"\A(:\w+: .*\n)*\n?", "", fence[3])
        yield fence[2], options, content


def commands(block):
    """The commands of a console block, each with the lines that are printed below it.

    And whether these are all of them: none are left out at a "...".
    """
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        said = [line for line in lines if line.strip()]
        printed = [line for line in said if line.strip() != "..."]
        yield command, printed, bool(printed) and printed == said


def patched(text, patch):
    """A stack file with the tables of the patch in place of its own."""
    for table in re.split(r"^(?=\[)", patch, flags=re.MULTILINE)[1:]:
        name = table.splitlines()[0]
        text, count = re.subn(
            rf"^{re.escape(name)}\n(?:(?!\[).*\n)*",
            table.rstrip() + "\n\n",
            text,
            flags=re.MULTILINE,
        )
        assert count == 1, name
    return text


def changed(text, diff):
    """A file with the lines of a diff taken away and put in."""
    lines = diff.splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    assert text.count(old) == 1, old
    return text.replace(old, new)


def environment(folder):
    """The programs of an environment of its own, which has what this one has."""
    venv.create(folder, symlinks=True)
    base = sysconfig.get_path("purelib")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (site / "base.pth").write_text(f"import site; site.addsitedir({base!r})\n", encoding="utf-8")
    for program in ("pip", "pytest", "interlock"):
        path = folder / "bin" / program
        path.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {program} "$@"\n')
        path.chmod(0o755)
    return folder / "bin"


class Reader:
    """Types what a page says, with the ids and addresses of this time in place of the page's."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.code = 0
        self.known = {}
        self.environ = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "INTERLOCK_ACTOR": ACTOR,
            # What a page installs is built from what is here.
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def type(self, command, printed, whole):
        """Run a command; what the page prints below it must have been printed."""
        if command == "echo $?":
            assert printed == [str(self.code)]
            self.code = 0
            return
        assert self.code == 0, "the page must say the exit code of the command before"
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return
        typed = THINGS.sub(lambda found: self.known.get(found[0], found[0]), command)
        done = subprocess.run(
            ["sh", "-c", typed],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.code = done.returncode
        self.compare(command, printed, done.stdout.splitlines(), whole=whole)

    def compare(self, command, printed, actual, *, whole):
        """Find each printed line, numbers aside, and learn what its ids are this time.

        Args:
            command: what was typed.
            printed: the lines of the page.
            actual: the lines that were printed.
            whole: whether nothing else may have been printed.
        """
        shapes = {shape(line): line for line in reversed(actual)}
        for line in printed:
            assert shape(line) in shapes, f"$ {command}\n{line}\nis not in\n" + "\n".join(actual)
            now = THINGS.findall(shapes[shape(line)])
            self.known |= dict(zip(THINGS.findall(line), now, strict=True))
        said = {"", *map(shape, printed)}
        left = [line for line in actual if line.strip(" ─") and shape(line) not in said]
        assert not (whole and left), f"$ {command}\nprinted as well:\n" + "\n".join(left)


def shape(line):
    """A line without what differs from one time to the next."""
    blurred = NUMBERS.sub(lambda found: found[1] or "0", THINGS.sub("ID", CLOCK.sub("", line)))
    return " ".join(blurred.split())


@pytest.fixture
def reader(tmp_path):
    """Somebody at a new folder; the server of the page is ended, whatever happens."""
    (tmp_path / "at").mkdir()
    somebody = Reader(tmp_path / "at", environment(tmp_path / "environment"))
    yield somebody
    if (somebody.folder / ".interlock/servers").exists():
        subprocess.run(
            ["interlock", "undeploy"], cwd=somebody.folder, env=somebody.environ, check=False
        )


@pytest.mark.real_backend
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_tutorial_does_what_the_page_prints(page, reader):
    """Files are written, commands typed in order; output and exit codes are the page's."""
    typed = 0
    for language, options, content in blocks(page.read_text(encoding="utf-8")):
        path = reader.folder / options.get("caption", "")
        if language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), content), encoding="utf-8")
        elif "class" in options:
            path.write_text(patched(path.read_text(encoding="utf-8"), content), encoding="utf-8")
        elif "caption" in options:
            path.write_text(content, encoding="utf-8")
        elif language == "console":
            for command, printed, whole in commands(content):
                reader.type(command, printed, whole)
                typed += 1
    assert reader.code == 0
    assert typed > 9
