"""Any document at all either loads or is refused with places: nothing else is ever raised."""

import json
import math
import tomllib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from interlock.errors import StackError
from interlock.stack import describe, load_stack
from interlock.stack.fields import MODEL, POLICY, PROJECT, TASK, stack_keys
from interlock.stack.positions import key_lines

WORDS = sorted(
    {"project", "model", "task", "policy", "stack", "bounds", "include", "dev", "train-x"}
    | {*PROJECT, *MODEL, *TASK, *POLICY, *stack_keys()}
)
TEXTS = st.sampled_from(
    [
        "dev",
        "sklearn",
        ">= 0.5",
        "${X}",
        "${MISSING}",
        "${",
        "$${X}",
        "1h",
        "hash",
        "time",
        "sqlite:///a.db",
        "package:os/x",
        "interlock.toml",
        "a\nb",
        "",
        " ",
        "é",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = (
    TEXTS
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([0, 1, 2**70])
    | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(NAMES, VALUES, max_size=5)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=2).flatmap(
    lambda extra: st.fixed_dictionaries(
        {"project": TABLES | st.just({"name": "p"})},
        optional={
            "model": TABLES,
            "task": TABLES,
            "policy": TABLES,
            "stack": st.dictionaries(st.sampled_from(["dev", "prod"]) | NAMES, TABLES, max_size=3),
        },
    ).map(lambda document: {**extra, **document})
)


def toml(value):
    """A value as inline TOML."""
    match value:
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return str(value)
        case str():
            return (
                json.dumps(value).replace("\x7f", "\\u007f") if value.isascii() else quoted(value)
            )
        case dict():
            return (
                f"{{{', '.join(f'{quoted(key)} = {toml(item)}' for key, item in value.items())}}}"
            )
        case list():
            return f"[{', '.join(map(toml, value))}]"
    return str(value)


def quoted(text):
    escaped = (c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'


def documents(tables):
    """Top tables as headers, one level of tables below them too, as people write them."""
    lines, headers = [], []
    for name, table in tables.items():
        if isinstance(table, dict):
            headers.append(f"[{quoted(name)}]")
            headers += [f"{quoted(key)} = {toml(value)}" for key, value in table.items()]
        else:
            lines.append(f"{quoted(name)} = {toml(table)}")
    return "\n".join((*lines, *headers, ""))


def attempt(folder, **options):
    """The stack and no problems, or none and the problems."""
    try:
        return load_stack(folder, environ={"X": "planted-value"}, **options), ()
    except StackError as error:
        return None, error.problems


def load_or_refuse(folder, text, **options):
    (folder / "interlock.toml").write_bytes(text.encode())
    stack, problems = attempt(folder, **options)
    assert (stack is None) == bool(problems)
    for line in problems:
        file, _, rest = line.partition(": ")
        assert file.startswith(("interlock.toml", "--set")), line
        assert rest
        assert "planted-value" not in line
    if stack is not None:
        assert "planted-value" not in repr(stack) + repr(describe(stack))
        for name in stack.settings:
            json.loads(stack.settings_text(name))
    return stack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=DOCUMENTS)
@example(tables={"stack": {"dev": {"extends": "dev"}}})
@example(tables={"include": ["interlock.toml", "\0"]})
def test_any_document_loads_or_is_refused(folder, tables):
    """A document of likely and unlikely keys and values never breaks the reader."""
    load_or_refuse(folder, documents(tables))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_loads_or_is_refused(folder, text):
    """Text that is no TOML at all is refused with its place."""
    load_or_refuse(folder, text)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    key=st.lists(NAMES, max_size=4).map(".".join) | NAMES,
    value=SCALARS.map(toml) | TEXTS,
)
def test_any_override_applies_or_is_refused(folder, key, value):
    """Whatever is typed after --set is applied or refused, and the policy stands."""
    text = '[project]\nname = "p"\n[policy]\napprovals = 2\n[stack.dev]\ntrain = "x"\n'
    stack = load_or_refuse(folder, text, overrides=[f"{key}={value}"])
    if stack is not None:
        assert stack.policy.approvals == 2


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=DOCUMENTS, comment=st.sampled_from(["", "# [a] = '\n", "\n\n"]))
def test_every_key_has_the_line_it_stands_on(tables, comment):
    """The line found for a key is the line on which the key is written."""
    text = comment + documents(tables)
    lines = key_lines(text)
    written = text.split("\n")
    for name, table in tomllib.loads(text).items():
        assert quoted(name) in written[lines[(name,)] - 1]
        under_header = f"[{quoted(name)}]" in written
        for key in table if isinstance(table, dict) and under_header else ():
            assert written[lines[(name, key)] - 1].startswith(quoted(key))
