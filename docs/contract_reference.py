"""The contract as Markdown: its hooks, rules and records, from signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import attrs

import interlock_hookspecs as contract

_SECTION = re.compile(r"(Args|Returns|Raises|Attributes|Example):")
_ITEM = re.compile(r"([\w, ]+?)(?: \([^)]*\))?: (.*)", re.DOTALL)
_REFERENCE = re.compile(r"(?<!`)`([A-Za-z_]+)((?:\.[a-z_]+)?)`(?!`)")
_PARAGRAPH = re.compile(r"\n\s*\n")


# -- docstrings ------------------------------------------------------------------------------------


def sections(doc: str) -> dict[str, str]:
    """A docstring cut at its headings; what stands before the first is under the empty name."""
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line in inspect.cleandoc(doc).splitlines():
        heading = _SECTION.fullmatch(line)
        if heading:
            current = heading[1]
        elif current and line and not line.startswith(" "):
            # Text after an indented section belongs to the whole again: the examples of records.
            current = ""
            found[""].append("")
        if not heading:
            found.setdefault(current, []).append(line)
    return {name: inspect.cleandoc("\n".join(lines)) for name, lines in found.items()}


def prose(text: str) -> Iterator[str]:
    """Paragraphs, with examples as code and names of the contract as links."""
    for paragraph in _PARAGRAPH.split(text.strip()):
        if paragraph.lstrip().startswith(">>>"):
            yield from ("```pycon", inspect.cleandoc(paragraph), "```", "")
        elif paragraph:
            yield from (linked(paragraph), "")


def linked(text: str) -> str:
    """Single backticks around a name of the contract become links to its entry."""

    def link(found: re.Match[str]) -> str:
        name, rest = found[1], found[2]
        return f"[`{name}{rest}`](#contract-{name.lower()})" if name in _entries() else found[0]

    return _REFERENCE.sub(link, text)


def items(text: str) -> dict[str, str]:
    """A section of ``name: meaning`` items; several names may share a meaning."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", text):
        matched = _ITEM.fullmatch(block)
        if matched:
            meaning = " ".join(matched[2].split())
            found |= {name.strip(): meaning for name in matched[1].split(",")}
    return found


# -- the contract ----------------------------------------------------------------------------------

FOUNDATION = (
    "rules",
    "evolution",
    "artifacts",
    "workspace",
    "values",
    "plain",
    "digests",
    "errors",
    "types",
    "measures",
    "signatures",
    "inputs",
    "traffic",
    "files",
)
"""The modules of the contract that belong to no stage."""


def module(name: str) -> ModuleType:
    """A module of the contract."""
    import importlib

    return importlib.import_module(f"interlock_hookspecs.{name}")


def _entries() -> frozenset[str]:
    public = {name for name in contract.__all__ if _is_entry(getattr(contract, name))}
    return frozenset(public | set(contract.specs()))


def _is_entry(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def hooks(stage: str) -> Iterator[str]:
    """Every hook of a stage: signature, rule, role, documentation."""
    for spec in contract.specs().values():
        if spec.function.__module__ == f"interlock_hookspecs.{stage}":
            yield from _hook(spec)


def _hook(spec: Any) -> Iterator[str]:
    need = "required" if spec.required else "optional"
    if spec.instead:
        need = f"instead of [`{spec.instead}`](#contract-{spec.instead.lower()})"
    yield from (f"(contract-{spec.name.lower()})=", f"### `{spec.name}`", "")
    yield from ("```python", signature(spec.function), "```", "")
    role = " or ".join(f"`{role}`" for role in spec.roles)
    yield from (f"Role {role} · {need} · rule `@{spec.rule}`", "")
    if spec.deprecated:
        yield from (f"This hook is {linked(str(spec.deprecated))}.", "")
    for name, end in spec.arguments.items():
        yield from (f"Argument `{name}` is {linked(str(end))}.", "")
    yield from _documented(inspect.getdoc(spec.function) or "")


def _documented(doc: str) -> Iterator[str]:
    parts = sections(doc)
    text, examples = _apart(parts.pop("", ""))
    yield from prose(text)
    for heading in ("Args", "Returns", "Raises"):
        if heading not in parts:
            continue
        named = {"Args": "Arguments"}.get(heading, heading)
        listed = items(parts[heading]) if heading != "Returns" else {}
        if listed:
            yield from (f"{named}:", "")
            yield from (f"- `{name}`: {linked(meaning)}" for name, meaning in listed.items())
            yield ""
        else:
            yield from (f"{named}: {linked(' '.join(parts[heading].split()))}", "")
    yield from prose(parts.get("Example", ""))
    yield from prose(examples)


def _apart(text: str) -> tuple[str, str]:
    """The text of a docstring, and its examples, which come last."""
    paragraphs = [inspect.cleandoc(one) for one in _PARAGRAPH.split(text)]
    examples = [one for one in paragraphs if one.startswith(">>>")]
    said = [one for one in paragraphs if one not in examples]
    return "\n\n".join(said), "\n\n".join(examples)


def signature(function: Callable[..., Any], name: str | None = None) -> str:
    """A function's signature as its source has it, over several lines where it is long."""
    found = inspect.signature(function)
    shown = []
    keyword_only = False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            shown.append("*")
        typed = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        shown.append(f"{stars.get(parameter.kind, '')}{parameter.name}{typed}{default}")
    returned = found.return_annotation
    arrow = "" if returned is found.empty else f" -> {returned}"
    head = f"def {name or function.__name__}"
    line = f"{head}({', '.join(shown)}){arrow}"
    if len(line) <= 88:  # noqa: PLR2004  (what a page shows without scrolling)
        return line
    return f"{head}(\n" + "".join(f"    {one},\n" for one in shown) + f"){arrow}"


def records(stage: str) -> Iterator[str]:
    """Every public class and function of a module that is no hook, in the order of its source."""
    home = module(stage)
    for name, value in vars(home).items():
        if not _is_entry(value) or value.__module__ != home.__name__ or name.startswith("_"):
            continue
        if inspect.isfunction(value) and contract.spec_of(value):
            continue
        if name in contract.__all__ or stage == "measures":
            yield from _class(value) if inspect.isclass(value) else _function(value)


def foundation() -> Iterator[str]:
    """What belongs to no stage, module by module."""
    for name in FOUNDATION:
        summary = (inspect.getdoc(module(name)) or "").partition("\n")[0]
        found = list(records(name))
        if found:
            yield from (f"## `{name}`", "", linked(summary), "", *found)


def _function(function: Callable[..., Any]) -> Iterator[str]:
    name = function.__name__
    yield from (f"(contract-{name.lower()})=", f"### `{name}`", "")
    yield from ("```python", signature(function), "```", "")
    yield from _documented(inspect.getdoc(function) or "")


def _class(cls: type[Any]) -> Iterator[str]:
    yield from (f"(contract-{cls.__name__.lower()})=", f"### `{cls.__name__}`", "")
    parts = sections(inspect.getdoc(cls) or "")
    text, examples = _apart(parts.pop("", ""))
    yield from prose(text)
    if attrs.has(cls) and not issubclass(cls, Exception):
        yield from _fields(cls, items(parts.get("Attributes", "")))
    elif "Args" in parts:
        yield from ("Arguments:", "")
        yield from (f"- `{name}`: {linked(what)}" for name, what in items(parts["Args"]).items())
        yield ""
    yield from _members(cls)
    yield from prose(examples)


def _fields(cls: type[Any], meanings: Mapping[str, str]) -> Iterator[str]:
    annotations = inspect.get_annotations(cls)
    for field in attrs.fields(cls):
        typed = annotations.get(field.name, field.type)
        meaning = meanings.get(field.name) or _USUAL.get(field.name, "")
        said = f": {linked(meaning)}" if meaning else ""
        yield f"- `{field.name}: {typed}{default_text(field.default)}`{said}"
    yield ""


_USUAL = {"maker": "the plugin that made it; core stamps it"}
"""What a field means in every record that has it."""


def default_text(default: Any) -> str:
    """What a field is where nobody says it; nothing where it must be said."""
    if default is attrs.NOTHING:
        return ""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return f" = {default.factory.__name__}()" if not default.takes_self else " = ..."
    return f" = {default!r}"


def _members(cls: type[Any]) -> Iterator[str]:
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        function = member.fget if isinstance(member, property) else member
        if not inspect.isfunction(function):
            continue
        doc = inspect.getdoc(function)
        if not doc:
            continue
        if isinstance(member, property):
            returned = inspect.signature(function).return_annotation
            yield from (f"**`{cls.__name__}.{name} -> {returned}`**", "")
        else:
            yield from ("```python", signature(function, f"{cls.__name__}.{name}"), "```", "")
        yield from _documented(doc)


def rules() -> Iterator[str]:
    """The five rules with their sentences and their hooks."""
    specs = contract.specs().values()
    for rule, sentence in contract.SENTENCES.items():
        names = [spec.name for spec in specs if spec.rule == rule]
        links = ", ".join(f"[`{name}`](#contract-{name.lower()})" for name in names)
        yield f"- `@{rule}`: {sentence} Hooks: {links}."
