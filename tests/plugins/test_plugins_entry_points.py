"""The plugins that are found are those that importlib.metadata finds, wherever they are."""

import subprocess
import sys
import zipfile
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from interlock.cli.main import main
from interlock.errors import PluginLoadError
from interlock.plugins.discover import installed
from interlock.plugins.entry_points import EntryPoint, entry_points
from interlock.plugins.load import load_class
from interlock_hookspecs import ROLES
from interlock_hookspecs.conformance.checking import find
from interlock_hookspecs.conformance.making import CannotCheckError

SAID = """\
[console_scripts]
acme = acme:main

[interlock.validate]
# what follows is ours
counts=interlock_validate_acme:Checks.Counts [extra]
 spaced  =  interlock_validate_acme : Spaced

[interlock.conformance]
validate-counts = suite_of_acme:Suite
[interlock.track]
acme = interlock_validate_acme:Acme
"""


def of(name, version, text=SAID):
    """What a distribution says of itself: a file's name, and its text."""
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: of the description\n"
    return {"METADATA": about, "PKG-INFO": about, "entry_points.txt": text}


def expected(name, version):
    module = "interlock_validate_acme"
    return {
        EntryPoint("validate", "counts", f"{module}:Checks.Counts [extra]", name, version),
        EntryPoint("validate", "spaced", f"{module} : Spaced", name, version),
        EntryPoint("track", "acme", f"{module}:Acme", name, version),
    }


def written(folder, files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def wheel(site):
    written(site / "acme_plugins-1.0.dist-info", of("Acme.Plugins", "1.0"))
    return site, expected("Acme.Plugins", "1.0")


def project_that_is_developed(site):
    written(site / "acme.egg-info", of("acme", "2.0"))
    return site, expected("acme", "2.0")


def egg(site):
    written(site / "acme-1.0-py3.11.egg" / "EGG-INFO", of("acme", "1.0"))
    return site / "acme-1.0-py3.11.egg", expected("acme", "1.0")


def zip_file(site):
    site.mkdir()
    with zipfile.ZipFile(site / "acme.zip", "w") as archive:
        for name, text in of("acme", "1.0").items():
            archive.writestr(f"acme-1.0.dist-info/{name}", text)
    return site / "acme.zip", expected("acme", "1.0")


def metadata_in_a_file(site):
    site.mkdir()
    (site / "acme-1.0.egg-info").write_text("Name: acme\nVersion: 1.0\n")
    return site, set()


def newer_behind_an_older(site):
    """What is first on the path hides what is of the same name, however that is spelt."""
    written(site / "interlock_data_files-0.0.dist-info", of("interlock-data-files", "0.0", ""))
    hidden = {found for found in entry_points() if found.distribution == "interlock-data-files"}
    assert hidden
    return site, set()


@pytest.mark.parametrize(
    "layout",
    [wheel, project_that_is_developed, egg, zip_file, metadata_in_a_file, newer_behind_an_older],
)
def test_plugins_are_found_as_the_library_finds_them(layout, tmp_path, monkeypatch):
    """In every layout of installed distributions, the same ones and what they say."""
    # A library of another test in this process may have put its own finder in place of Python's.
    others = [each for each in sys.meta_path if not hasattr(each, "find_distributions")]
    find = metadata.MetadataPathFinder.find_distributions
    monkeypatch.setattr(PathFinder, "find_distributions", find, raising=False)
    monkeypatch.setattr(sys, "meta_path", [*others, PathFinder])
    before = set(entry_points())
    place, added = layout(tmp_path / "site")
    monkeypatch.syspath_prepend(str(place))
    with monkeypatch.context() as patch:
        asked = []
        ask = metadata.entry_points
        patch.setattr(metadata, "entry_points", lambda: asked.append(place) or ask())
        found = set(entry_points())
    assert bool(asked) == (layout in {egg, zip_file})
    assert added <= found
    assert found == by_the_library()
    hidden = "interlock-data-files" if layout is newer_behind_an_older else ""
    assert found - added == {one for one in before if one.distribution != hidden}


def test_the_plugins_of_a_finder_of_others_are_found(tmp_path, monkeypatch):
    """Whoever adds a finder of distributions to Python has it asked."""
    place, added = wheel(tmp_path / "site")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return None

        @staticmethod
        def find_distributions(context):
            wanted = metadata.DistributionFinder.Context(path=[str(place)])
            return metadata.MetadataPathFinder.find_distributions(wanted)

    assert not added & set(entry_points())
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert added <= set(entry_points()) == by_the_library()


def test_the_finder_of_importlib_metadata_is_as_good_as_pythons(monkeypatch):
    """MLflow imports it: looking for plugins takes no longer, and finds the same ones."""
    importlib_metadata = pytest.importorskip("importlib_metadata")
    others = [each for each in sys.meta_path if not hasattr(each, "find_distributions")]
    monkeypatch.setattr(
        sys, "meta_path", [*others, importlib_metadata.MetadataPathFinder(), PathFinder]
    )
    expected = by_the_library()
    monkeypatch.delattr(metadata, "entry_points")
    assert set(entry_points()) == expected


def test_a_folder_of_metadata_that_cannot_be_read_hides_no_other(tmp_path, monkeypatch):
    """A distribution that was half removed offers nothing, and the rest is there."""
    before = set(entry_points())
    (tmp_path / "gone-1.0.dist-info" / "entry_points.txt").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(entry_points()) == before


def test_looking_for_plugins_imports_no_parser_of_mail():
    """That is what it is for: a server is ready before it would be imported."""
    script = (
        "import sys; from interlock.plugins.discover import installed; assert installed(); "
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert not {"email.message", "importlib.metadata", "zipfile"} & {*done.stdout.split()}


def by_the_library():
    found = set()
    for role in ROLES:
        for point in metadata.entry_points(group=f"interlock.{role}"):
            about = point.dist.metadata
            said = EntryPoint(role, point.name, point.value, about["Name"], about["Version"])
            found.add(said)
    return found


def test_a_plugin_that_two_distributions_offer_is_refused_by_both_names(tmp_path, monkeypatch):
    """Which of them would be found first is the file system's to say, and no stack file's."""
    for name in ("acme-tools", "corp-acme"):
        written(tmp_path / f"{name}-1.0.dist-info", of(name, "1.0"))
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    try:
        name = next(one.name for one in installed().values() if one.rivals)
        with pytest.raises(PluginLoadError, match=r"offered by acme-tools 1\.0 and corp-acme 1\.0"):
            load_class(installed()[name])
        with pytest.raises(CannotCheckError, match="offered by acme-tools and corp-acme"):
            find(name)
    finally:
        installed.cache_clear()


def test_a_group_that_is_of_no_role_is_told(tmp_path, monkeypatch, capsys):
    """Whoever misspells it has no plugin, and reads why where plugins are listed."""
    said = SAID.replace("[interlock.validate]", "[interlock.validation]")
    written(tmp_path / "acme-1.0.dist-info", of("acme", "1.0", said))
    monkeypatch.syspath_prepend(str(tmp_path))
    told = (
        "! acme has 'counts' in the entry-point group 'interlock.validation', which is of no "
        "role; did you mean 'interlock.validate'?"
    )
    for command, code in ((["list", "--role", "data"], 0), (["show", "validate-counts"], 2)):
        installed.cache_clear()
        assert main(["plugins", *command]) == code
        assert told in capsys.readouterr().err.splitlines()
    installed.cache_clear()
