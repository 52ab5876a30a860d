"""Settings: strict, all mistakes at once, and silent about what is secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from interlock.errors import StackError
from interlock.stack import (
    check_settings_names,
    describe,
    load_stack,
    recorded_settings,
    structure_settings,
)
from interlock_hookspecs import Facts, Secret, plugin, project_root, reveal, setting

PLANTED = "planted-hunter2-value"


@attrs.frozen(kw_only=True)
class Grid:
    rows: int
    name: str = ""

    def __attrs_post_init__(self):
        if self.name == "bad":
            raise RuntimeError("no such name")


def _short(_, attribute, value):
    if len(reveal(value)) > 300:
        raise ValueError(f"{attribute.name} is {reveal(value)!r}: too long")


@plugin(contract="1.0")
class Every:
    """Has a setting of every type that a stack file can say."""

    estimator: str = setting(doc="what to fit")
    rows: int = setting(5, doc="")
    share: float = setting(0.5, doc="")
    on: bool = setting(default=False, doc="")
    words: tuple[str, ...] = setting((), doc="")
    pair: tuple[int, str] | None = setting(None, doc="")
    table: dict[str, str | int | float | bool] = setting(attrs.Factory(dict), doc="")
    facts: Facts = setting(attrs.Factory(Facts), doc="")
    kind: Literal["a", "b"] = setting("a", doc="")
    maybe: str | None = setting(None, doc="")
    grid: Grid | None = setting(None, doc="")
    grids: tuple[Grid, ...] = setting((), doc="")
    folder: Path | None = setting(None, doc="")
    url: str | Secret[str] = setting("sqlite:///.interlock/x.db", doc="", validator=_short)
    port: int | Secret[int] = setting(80, doc="")
    switch: bool | Secret[bool] = setting(default=False, doc="")
    token: Secret[str] | None = setting(None, doc="")
    headers: Mapping[str, str | Secret[str]] = setting(attrs.Factory(dict), doc="")
    anything: Any = setting(None, doc="")
    limit: int = setting(1, doc="", validator=attrs.validators.in_((1, 2)))
    cache: dict[str, int] = attrs.field(init=False, factory=dict)


def made(root=None, **raw):
    raw = {"estimator": "x", **raw}
    return structure_settings(Every, raw, where="stack.dev.train-x", origins={}, root=root)


def refused(**raw):
    with pytest.raises(StackError) as caught:
        made(**raw)
    return caught.value.problems


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"rows": 3}, 3),
        ({"share": 1}, 1.0),
        ({"on": True}, True),
        ({"words": ["a", "b"]}, ("a", "b")),
        ({"pair": [1, "a"]}, (1, "a")),
        (
            {"table": {"a": 1, "b": "x", "c": 0.5, "d": True}},
            {"a": 1, "b": "x", "c": 0.5, "d": True},
        ),
        ({"facts": {"a": 1}}, Facts({"a": 1})),
        ({"kind": "b"}, "b"),
        ({"maybe": "x"}, "x"),
        ({"grid": {"rows": 2}}, Grid(rows=2)),
        ({"grids": [{"rows": 2, "name": "n"}]}, (Grid(rows=2, name="n"),)),
        ({"url": "plain"}, "plain"),
        ({"url": Secret("hidden")}, Secret("hidden")),
        ({"port": Secret("8080")}, Secret(8080)),
        ({"switch": Secret("true")}, Secret(value=True)),
        ({"token": Secret("t")}, Secret("t")),
        ({"headers": {"a": "x", "b": Secret("y")}}, {"a": "x", "b": Secret("y")}),
        ({"anything": {"a": [1, Secret("s")]}}, {"a": [1, Secret("s")]}),
    ],
)
def test_values_that_fit(raw, expected):
    """A value of the field's type becomes exactly that type."""
    (name,) = raw
    value = getattr(made(**raw), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"rows": "5"}, "expected a whole number, found '5' (text)"),
        ({"rows": True}, "expected a whole number, found true (a switch)"),
        ({"rows": 1.0}, "expected a whole number, found 1.0 (a number)"),
        ({"share": float("nan")}, "expected a number, found nan"),
        ({"on": "false"}, "expected true or false, found 'false' (text)"),
        ({"on": 1}, "expected true or false"),
        ({"words": "abc"}, "expected a list"),
        ({"words": ["a", 1]}, "words.1: expected a text, found 1"),
        ({"pair": [1]}, "expected a list of 2, found a list of 1"),
        ({"table": {"a": []}}, "table.a: expected"),
        ({"facts": {"a": {}}}, "'a' is dict"),
        ({"kind": "c"}, "expected 'a' or 'b', found 'c'"),
        ({"grid": {"rows": 1, "nme": ""}}, "grid.nme: unknown key; did you mean 'name'?"),
        ({"grid": {}}, "grid.rows: is missing"),
        ({"grid": {"rows": 1, "name": "bad"}}, "grid: no such name"),
        ({"grid": {"rows": 1, "name": Secret("bad")}}, "name: takes no ${...}"),
        ({"grids": [{"rows": "x"}]}, "grids.0.rows: expected a whole number"),
        ({"estimater": "x"}, "unknown setting; did you mean 'estimator'?"),
        ({"cache": {}}, "unknown setting"),
        ({"limit": 3}, "must be in (1, 2)"),
        ({"estimator": Secret(PLANTED)}, "takes no ${...}"),
        ({"words": [Secret(PLANTED)]}, "words.0: takes no ${...}"),
        ({"port": Secret(PLANTED)}, "expected a whole number; the text from the environment"),
        ({"switch": Secret(PLANTED)}, "expected true or false; the text from"),
        ({"token": "written"}, "is not written in a file: write ${NAME}"),
        ({"url": Secret(PLANTED * 20)}, "(ValueError)"),
    ],
)
def test_values_that_do_not_fit(raw, expected):
    """A wrong value is refused with its place, and a secret one is not shown."""
    (problem,) = refused(**raw)
    assert problem.startswith("[stack.dev.train-x] ")
    assert expected in problem
    assert PLANTED not in problem
    assert "written" not in problem.replace("is not written", "")


def test_all_mistakes_of_a_plugin_at_once():
    """Wrong types, unknown keys, validators and missing values are said together."""
    with pytest.raises(StackError) as caught:
        structure_settings(
            Every,
            {"rows": "5", "limit": 3, "nothing": 1},
            where="stack.dev.train-x",
            origins={},
        )
    assert [line.split()[1].rstrip(":") for line in caught.value.problems] == [
        "rows",
        "limit",
        "nothing",
        "estimator",
    ]


def test_all_mistakes_inside_a_setting_at_once():
    """Every wrong part of a table is said, not the first alone."""
    found = refused(grids=[{"rows": "x"}, {"nme": "y"}])
    assert [line.split()[1] for line in found] == [
        "grids.0.rows:",
        "grids.1.nme:",
        "grids.1.rows:",
    ]


def test_mistakes_have_lines(tmp_path):
    """A setting's mistake carries its file and line; a missing one carries its table's."""
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\ntrain = "x"\n[stack.dev.train-x]\nrows = "5"\n'
    )
    stack = load_stack(tmp_path)
    with pytest.raises(StackError) as caught:
        structure_settings(
            Every, stack.settings["train-x"], where="stack.dev.train-x", origins=stack.origins
        )
    assert [line.partition(" ")[0] for line in caught.value.problems] == [
        "interlock.toml:6:",
        "interlock.toml:5:",
    ]


def test_paths_are_made_absolute(tmp_path):
    """Paths and SQLite URLs of the file and of defaults are relative to the project."""
    instance = made(root=tmp_path, folder="data")
    assert instance.folder == tmp_path / "data"
    assert instance.url == f"sqlite:///{tmp_path}/.interlock/x.db"
    assert reveal(made(root=tmp_path, url=Secret("sqlite:///a.db")).url).startswith("sqlite:////")


def test_a_failing_plugin_shows_no_secret():
    """What a plugin raises with a secret in its hands is reported without its words."""

    @plugin(contract="1.0")
    class Leaky:
        token: str | Secret[str] = setting("", doc="")

        def __attrs_post_init__(self):
            raise RuntimeError(f"cannot connect with {reveal(self.token)}")

    with pytest.raises(StackError) as caught:
        structure_settings(Leaky, {"token": Secret(PLANTED)}, where="w", origins={})
    assert "RuntimeError" in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_plugin_that_exits_where_it_is_made_ends_no_command():
    """A run that a plugin's `sys.exit(0)` ended would look like one that went well."""

    @plugin(contract="1.0")
    class Leaves:
        size: int = setting(1, doc="", validator=lambda *_: raise_exit())

        def __attrs_post_init__(self):
            raise_exit()

    for said in ({}, {"size": 2}):
        with pytest.raises(StackError, match=r"ends the process instead \(SystemExit: 0\)"):
            structure_settings(Leaves, said, where="w", origins={})


def raise_exit():
    raise SystemExit(0)


def test_unknown_plugins_are_refused_and_unselected_ones_are_not(tmp_path):
    """Settings of an installed plugin are inert until it is named; unknown ones are mistakes."""
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\n[stack.dev.registry-mlflow]\nx = 1\n'
        "[stack.dev.train-sklern]\ny = 1\n"
    )
    (problem,) = check_settings_names(load_stack(tmp_path), {"registry-mlflow", "train-sklearn"})
    assert problem == (
        "interlock.toml:6: [stack.dev] train-sklern: no plugin of this name is installed"
        "; did you mean 'train-sklearn'?"
    )


def test_recorded_settings_come_back(tmp_path):
    """Settings as the ledger keeps them expand again, in tomorrow's environment."""
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\ntrain = "x"\n[stack.dev.train-x]\n'
        "url = '${URL}'\nrows = 5\n"
    )
    text = load_stack(tmp_path, environ={"URL": "old"}).settings_text("train-x")
    assert text == '{"rows":5,"url":"${URL}"}'
    assert recorded_settings(text, {"URL": "new"}) == {"rows": 5, "url": Secret("new")}


def test_a_planted_secret_never_shows(tmp_path):
    """A secret in every place that takes one shows in no repr, row, text or message."""
    names = [field.name for field in attrs.fields(Every) if field.init]
    lines = [f"{name} = '${{PLANTED}}'" for name in names]
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\ntrain = "x"\n'
        "ledger = 'postgresql://u:${PLANTED}@h/d'\nartifacts = '${PLANTED}'\n"
        "[stack.dev.train-x]\n" + "\n".join(lines) + "\n"
        "[stack.dev.train-y]\nlist = ['${PLANTED}', {a = '${PLANTED}'}]\n"
    )
    stack = load_stack(tmp_path, environ={"PLANTED": PLANTED})
    with pytest.raises(StackError) as caught:
        structure_settings(
            Every,
            stack.settings["train-x"],
            where="stack.dev.train-x",
            origins=stack.origins,
            root=tmp_path,
        )
    shown = [repr(stack), str(stack), str(caught.value), repr(caught.value), str(stack.origins)]
    shown += [repr(row) for row in describe(stack)]
    shown += [stack.settings_text("train-x"), stack.settings_text("train-y")]
    shown += [str(attrs.asdict(stack, filter=lambda field, _: field.name != "task"))]
    assert PLANTED not in "\n".join(shown)
    assert "***" in repr(describe(stack))


def test_secrets_never_show_in_a_wrong_file(tmp_path):
    """Mistakes beside a secret, and in the text around it, do not print it."""
    (tmp_path / "interlock.toml").write_text(
        "[project]\nname = '${PLANTED}'\n[task]\ndataset = '${PLANTED}'\n[stack.dev]\n"
        "train = '${PLANTED}'\nledger = '${PLANTED}'\nendpoint = '${PLANTED}'\n"
    )
    with pytest.raises(StackError) as caught:
        load_stack(tmp_path, environ={"PLANTED": PLANTED})
    assert len(caught.value.problems) == 5
    assert PLANTED not in str(caught.value)


def test_a_plugin_is_given_the_projects_folder(tmp_path):
    """A field made by project_root is no setting: core fills it, and a stack file may not."""

    @plugin(contract="1.0")
    class Rooted:
        root: Path = project_root()

    made = structure_settings(Rooted, {}, where="stack.dev.data-x", origins={}, root=tmp_path)
    assert made.root == tmp_path
    with pytest.raises(StackError, match="unknown setting"):
        structure_settings(Rooted, {"root": "/"}, where="stack.dev.data-x", origins={})
