"""A new project: what `interlock init` writes, names and refuses."""

import pytest


def test_init_writes_a_project_that_checks(start):
    """Its file says the name, the data, the target and the kind; git is told what not to keep."""
    made = start()
    told = made(
        "init", "house", "--data", "houses.csv", "--target", "price", "--kind", "regression"
    )
    assert "next: cd house && interlock stack check && interlock run\n" in told.out
    made.folder /= "house"
    made("stack", "check")
    shown = {row["key"]: row["value"].strip('"') for row in made.listed("stack", "show")}
    assert shown["project.name"] == "house"
    assert shown["task.target"] == "price"
    assert shown["task.kind"] == "regression"
    assert ".interlock/" in (made.folder / ".gitignore").read_text(encoding="utf-8")
    (made.folder / "interlock.toml").unlink()
    assert "next: interlock stack check" in made("init").out


def test_init_refuses_a_folder_that_is_not_named_in_utf8(start):
    """Nothing could be recorded of it; and nothing is written."""
    made = start()
    said = made("init", "caf\udce9", expect=2)
    assert "caf\\xe9: the name is not UTF-8" in said.err
    assert list(made.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Öl und Wasser", "Ol-und-Wasser"), ("日本", "project"), ("_a", "a"), ("v1.2", "v1.2")],
)
def test_init_names_a_project_by_any_folder(start, folder, name):
    """What it writes checks, whatever the folder is called."""
    made = start()
    made("init", folder)
    made.folder /= folder
    made("stack", "check")
    shown = {row["key"]: row["value"] for row in made.listed("stack", "show")}
    assert shown["project.name"] == f'"{name}"'


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("--name", "a b", "a name of letters"), ("--target", "", "a text"), ("--data", "", "a text")],
)
def test_init_writes_nothing_that_does_not_check(start, option, value, expected):
    """An option that the stack file could not hold is refused before a folder is made."""
    made = start()
    said = made("init", "house", option, value, expect=2)
    assert f"{option} {value!r}: expected {expected}" in said.err
    assert not (made.folder / "house").exists()
