"""Which keys the tables of a stack file have, and what each may hold.

One description serves the reader, which is strict, and the JSON Schema that editors complete by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from interlock.stack.environment import mentions_environment
from interlock.stack.places import Cell, Place
from interlock.stack.problems import Problems, nearest, shown
from interlock_hookspecs import ORIGINS, ROLES, specs

WORD = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_INT64 = 2**63
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([MG])B\s*")
_BYTES = {"M": 10**6, "G": 10**9}


class MisfitError(ValueError):
    """A value that its key does not take; the message says what it does."""


class Kind(NamedTuple):
    """What a key may hold.

    Attributes:
        expected: in words.
        read: gives the value as the stack keeps it, or None where it does not fit.
        schema: the same as JSON Schema.
    """

    expected: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def take(self, value: Any) -> Any:
        """The value as the stack keeps it.

        Raises:
            MisfitError: it does not fit.
        """
        read = self.read(value)
        if read is None:
            msg = f"expected {self.expected}, found {shown(value)}"
            raise MisfitError(msg)
        return read


def is_text(value: Any) -> bool:
    """Whether a value is a text that says something."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def is_whole(value: Any) -> bool:
    """Whether a value is an integer that TOML promises to carry: no boolean, 64 bits."""
    return type(value) is int and -_INT64 <= value < _INT64


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, whole or not."""
    return is_whole(value) or (type(value) is float and math.isfinite(value))


def _number(low: float, high: float, *, open_ends: bool) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        if not is_number(value):
            return None
        inside = low < value < high if open_ends else low <= value <= high
        return float(value) if inside else None

    return read


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(map(is_text, value)) else None


def _words(value: Any) -> tuple[str, ...] | None:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list):
        return None
    fitting = all(isinstance(word, str) and re.fullmatch(WORD, word) for word in words)
    return tuple(words) if fitting and len(set(words)) == len(words) else None


def _word(value: Any) -> tuple[str, ...] | None:
    words = _words(value)
    return words if words is not None and len(words) <= 1 else None


def _label(value: Any) -> int | str | bool | None:
    return value if isinstance(value, bool) or is_whole(value) or is_text(value) else None


def _types(value: Any) -> dict[str, str] | None:
    return value if isinstance(value, dict) and all(map(is_text, value.values())) else None


def _duration(value: Any) -> float | None:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        value = float(found[1]) * _SECONDS[found[2]] if found else None
    return _number(0, math.inf, open_ends=False)(value)


def _size(value: Any) -> int | None:
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        value = int(float(found[1]) * _BYTES[found[2]]) if found else None
    return value if is_whole(value) and value > 0 else None


def _date(value: Any) -> str | None:
    if type(value) is date:
        return value.isoformat()
    return str(value) if is_text(value) else None


def choice(*words: str) -> Kind:
    """One of a closed set of words."""
    expected = " or ".join(f'"{word}"' for word in words)
    return Kind(expected, lambda value: value if value in words else None, {"enum": list(words)})


def _origins(value: Any) -> tuple[str, ...] | None:
    found = _texts(value)
    return found if found and set(found) <= set(ORIGINS) else None


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
_WORD_SCHEMA = {"type": "string", "pattern": f"^{WORD}$"}
_LIST_SCHEMA = {"type": "array", "items": _WORD_SCHEMA, "uniqueItems": True}

TEXT = Kind("a text", lambda value: value if is_text(value) else None, _TEXT_SCHEMA)
NAME = Kind(
    "a name of letters, digits, '.', '_' and '-'",
    lambda value: value if isinstance(value, str) and re.fullmatch(WORD, value) else None,
    _WORD_SCHEMA,
)
DATE = Kind("a date, as 2027-01-31", _date, _TEXT_SCHEMA)
TEXTS = Kind('a list of texts, as ["a", "b"]', _texts, {"type": "array", "items": _TEXT_SCHEMA})
ONE_WORD = Kind(
    "the word of one plugin (only one may answer in this role)",
    _word,
    {"anyOf": [_WORD_SCHEMA, {**_LIST_SCHEMA, "maxItems": 1}]},
)
WORDS = Kind(
    "the word of a plugin or a list of different words",
    _words,
    {"anyOf": [_WORD_SCHEMA, _LIST_SCHEMA]},
)
COUNT = Kind(
    "a whole number, 0 or more",
    lambda value: value if is_whole(value) and value >= 0 else None,
    {"type": "integer", "minimum": 0},
)
DAYS = Kind(
    "a number of days above 0",
    _number(0, math.inf, open_ends=True),
    {"type": "number", "exclusiveMinimum": 0},
)
DURATION = Kind(
    'seconds, or a text as "90s", "15m", "1h" or "2d"',
    _duration,
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "[smhd]\\s*$"}]},
)
TIMEOUT = Kind(
    'seconds above 0, or a text as "90s", "15m", "1h" or "2d"',
    lambda value: _duration(value) or None,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": "[smhd]\\s*$"},
        ]
    },
)
SIZE = Kind(
    'a number of bytes above 0, or a text as "500MB" or "20GB"',
    _size,
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "[MG]B\\s*$"}]},
)
SHARE = Kind(
    "a share between 0 and 1, for example 0.25",
    _number(0, 1, open_ends=True),
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
)
SCORE = Kind(
    "a score from 0 to 1",
    _number(0, 1, open_ends=False),
    {"type": "number", "minimum": 0, "maximum": 1},
)
LABEL = Kind(
    "a whole number, a text or a switch", _label, {"type": ["integer", "string", "boolean"]}
)
SWITCH = Kind(
    "true or false",
    lambda value: value if isinstance(value, bool) else None,
    {"type": "boolean"},
)
TYPES = Kind(
    'a table of column = "type"',
    _types,
    {"type": "object", "additionalProperties": _TEXT_SCHEMA},
)
ORIGINS_LIST = Kind(
    f"a list out of {', '.join(ORIGINS)}",
    _origins,
    {"type": "array", "items": {"enum": list(ORIGINS)}, "minItems": 1},
)


class Key(NamedTuple):
    """A key of a table: what it may hold, what it is for, and whether it must be there."""

    kind: Kind
    doc: str
    required: bool = False


Keys = Mapping[str, Key]

PROJECT: Keys = MappingProxyType(
    {
        "name": Key(NAME, "names the project in the ledger, and its endpoint", required=True),
        "module": Key(TEXT, "the project's own hooks: a Python file beside the stack file"),
    }
)
MODEL: Keys = MappingProxyType(
    {
        "owner": Key(TEXT, "who answers for the model"),
        "purpose": Key(TEXT, "what it is for"),
        "tier": Key(TEXT, "how much depends on it, in your organisation's words"),
        "review_by": Key(DATE, "when somebody must look at it again"),
    }
)
TASK: Keys = MappingProxyType(
    {
        "dataset": Key(TEXT, "where the rows are: a path, a glob or an address", required=True),
        "target": Key(TEXT, "the column to predict"),
        "kind": Key(TEXT, "binary, multiclass or regression; plugins may serve others"),
        "id": Key(TEXT, "the column that names a row; it is not a feature"),
        "positive": Key(LABEL, "the target's value that counts as positive"),
        "threshold": Key(SCORE, "the score from which a row is decided positive"),
        "time": Key(TEXT, "the column of event time; it is not a feature"),
        "exclude": Key(TEXTS, "columns that are not features"),
        "sensitive": Key(TEXTS, "columns whose groups are compared for fairness"),
        "types": Key(TYPES, "logical types of columns that the source cannot say"),
        "split": Key(choice("hash", "time"), "how rows are held out"),
        "holdout": Key(SHARE, "the share of rows held out"),
        "seed": Key(COUNT, "for everything random"),
    }
)
POLICY: Keys = MappingProxyType(
    {
        "approvals": Key(COUNT, "how many different people must approve"),
        "self_approval": Key(SWITCH, "whether who started the run may approve"),
        "min_group": Key(COUNT, "rows under which a group counts as unmeasured"),
        "approval_days": Key(DAYS, "days after which an approval expires"),
        "release_days": Key(DAYS, "days after which a release expires"),
        "offline_grace": Key(DURATION, "how long a server goes on without the ledger"),
        "external_aliases": Key(
            choice("refuse", "report"), "what a champion alias that was moved by hand leads to"
        ),
        "origins": Key(ORIGINS_LIST, "the origins of a model that may be released"),
        "validate": Key(WORDS, "validate plugins that a stack must name"),
        "govern": Key(WORDS, "govern plugins that a stack must name"),
    }
)
BOUND: Keys = MappingProxyType(
    {
        "bound": Key(TEXT, 'an operator and a number: ">= 0.85"', required=True),
        "severity": Key(choice("refuse", "explain"), "explain passes with a person's reason"),
        "on": Key(choice("value", "interval"), "interval compares its worse end"),
    }
)


def one_roles() -> frozenset[str]:
    """The roles in which only one plugin may answer, as the contract's rules have it."""
    return frozenset(spec.role for spec in specs().values() if spec.rule == "one" and spec.required)


def stack_keys() -> Keys:
    """The keys of a ``[stack.NAME]`` table, apart from the settings of plugins."""
    single = one_roles()
    roles = {
        role: Key(ONE_WORD if role in single else WORDS, f"the {role} plugin, by its word")
        for role in ROLES
    }
    return {
        "extends": Key(NAME, "the stack that this one starts from"),
        **roles,
        "ledger": Key(TEXT, "the database of the ledger, as a URL; may be ${NAME}"),
        "artifacts": Key(TEXT, "the folder or address of files; may be ${NAME}"),
        "artifacts_cache": Key(
            SIZE, "how much of an artifact store elsewhere is kept on this machine; all unless said"
        ),
        "package": Key(NAME, "the format that a model is converted to before it is served"),
        "endpoint": Key(NAME, "the endpoint's name; the project's where it is not said"),
        "hook_timeout": Key(TIMEOUT, "how long a hook may take where its plugin says nothing else"),
    }


def read_value(key: Key, cell: Cell, problems: Problems, *, secret: bool = False) -> Any:
    """A key's value as the stack keeps it; None, and a problem, where it does not fit.

    Args:
        key: what it may hold.
        cell: the value and its place.
        problems: told what is wrong.
        secret: whether ``${NAME}`` may stand in it.
    """
    if mentions_environment(cell.value) and not secret:
        problems.add(
            cell.place,
            "takes no ${...}: it is recorded and shown; only ledger, artifacts and the settings "
            "of plugins come from the environment",
        )
        return None
    try:
        return key.kind.take(cell.value)
    except MisfitError as error:
        problems.add(cell.place, str(error))
        return None


def read_table(
    cells: Mapping[str, Cell], keys: Keys, table: Place, problems: Problems
) -> dict[str, Any]:
    """The values of a table, each as the stack keeps it; what does not fit is left out."""
    values = {}
    for name, cell in cells.items():
        if name not in keys:
            problems.add(cell.place, f"unknown key{elsewhere(name, keys)}")
            continue
        value = read_value(keys[name], cell, problems)
        if value is not None:
            values[name] = value
    for name, key in keys.items():
        if key.required and name not in cells:
            problems.add(table.child(name), f"is missing: {key.doc}")
    return values


def elsewhere(name: str, keys: Keys) -> str:
    """Where an unknown key may belong: a near name here, or the same name in another table."""
    near = nearest(name, keys)
    if near:
        return near
    tables = {"project": PROJECT, "model": MODEL, "task": TASK, "policy": POLICY}
    tables |= {"stack.NAME": stack_keys()}
    homes = [f"[{table}]" for table, known in tables.items() if name in known]
    return f"; it belongs in {' or '.join(homes)}" if homes else f"; known: {', '.join(keys)}"
