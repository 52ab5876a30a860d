"""What a plugin and a hook say of themselves, as plain values: for a page, a table or JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import attrs

from interlock.errors import PluginLoadError
from interlock.plugins.discover import Installed
from interlock.plugins.load import load_class
from interlock.stack.structure import admits_secret, members_of, settable
from interlock_hookspecs import SENTENCES, Secret, Spec, contract_of, kinds_of, type_hints
from interlock_hookspecs.form import contract, deprecations, implementations


def describe_plugin(plugin: Installed) -> dict[str, Any]:
    """All about an installed plugin; of one that does not load, what is known without it.

    Returns:
        JSON values: name, role, word, version, distribution, target, source, loads and problem;
        with ``loads`` also doc, contract, kinds (None for any), settings, hooks and deprecated
        (what it uses that goes away, each in a line).
    """
    known = {
        "name": plugin.name,
        "role": plugin.role,
        "word": plugin.word,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "target": plugin.target,
        "source": _source(plugin),
        "python": str(plugin.worker.python) if plugin.worker is not None else None,
    }
    try:
        cls = load_class(plugin)
    except PluginLoadError as error:
        return {**known, "loads": False, "problem": str(error)}
    found = implementations(cls)
    kinds = kinds_of(cls)
    return {
        **known,
        "loads": True,
        "problem": "",
        "doc": _first_line(cls),
        "contract": contract_of(cls),
        "kinds": list(kinds) if kinds else None,
        "settings": describe_settings(cls),
        "hooks": [_brief(spec) for name, spec in contract().items() if name in found],
        "deprecated": list(deprecations(cls)),
    }


def describe_settings(cls: type[Any]) -> list[dict[str, Any]]:
    """The settings of a plugin's class: name, type, default, required, secret and doc."""
    hints = type_hints(cls)
    return [
        {
            "name": name,
            "type": _type_text(hints.get(field.name, Any)),
            "default": _default(field.default),
            "required": field.default is attrs.NOTHING,
            "secret": admits_secret(hints.get(field.name, Any)),
            "doc": field.metadata.get("doc", ""),
        }
        for name, field in settable(cls).items()
    ]


def describe_hook(spec: Spec) -> dict[str, Any]:
    """All about a hook: as `_brief`, with its parameters, the rule's sentence and its doc."""
    return {
        **_brief(spec),
        "instead": spec.instead,
        "parameters": list(spec.parameters),
        "deprecated": str(spec.deprecated) if spec.deprecated else None,
        "deprecated_arguments": {name: str(end) for name, end in spec.arguments.items()},
        "sentence": SENTENCES[spec.rule],
        "doc": inspect.getdoc(spec.function) or "",
    }


def _brief(spec: Spec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "role": ", ".join(spec.roles),
        "rule": spec.rule,
        "required": spec.required,
        "signature": f"{spec.name}{inspect.signature(spec.function)}".replace("'", ""),
        "summary": _first_line(spec.function),
    }


def _source(plugin: Installed) -> dict[str, Any]:
    """Where pip took the distribution from (PEP 610), and where it put it."""
    if plugin.worker is not None:
        there = plugin.worker.description()
        said = there["direct_url"]
        editable = bool(said.get("dir_info", {}).get("editable", False))
        return {"location": there["location"], "url": said.get("url"), "editable": editable}
    try:
        distribution = metadata.distribution(plugin.distribution)
    except metadata.PackageNotFoundError:
        return {"location": None, "url": None, "editable": False}
    said = json.loads(distribution.read_text("direct_url.json") or "{}")
    editable = bool(said.get("dir_info", {}).get("editable", False))
    # What pip took from an index, it does not say: None.
    return {
        "location": str(distribution.locate_file("")),
        "url": said.get("url"),
        "editable": editable,
    }


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _type_text(kind: Any) -> str:
    """A type as a plugin's author writes it, without what says that it may be a secret."""
    members = [member for member in members_of(kind) if not admits_secret(member)]
    return " | ".join(_name(member) for member in members or [str])


def _name(kind: Any) -> str:
    if kind is type(None):
        return "None"
    if isinstance(kind, type) and not hasattr(kind, "__args__"):
        return kind.__name__
    return str(kind).replace("typing.", "").replace("pathlib.", "")


def _default(value: Any) -> Any:
    """A default as JSON; None where there is none."""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # attrs types it as a function
        return None if value.takes_self else _default(value.factory())
    match value:
        case Secret():
            return "***"
        case tuple() | list() | frozenset():
            return [_default(item) for item in value]
        case Mapping():
            return {str(key): _default(item) for key, item in value.items()}
        case str() | bool() | int() | float():
            return value
    return None if value is attrs.NOTHING or value is None else str(value)
