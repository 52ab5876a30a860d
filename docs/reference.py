"""The generated parts of the reference: what the code says of itself, as Markdown.

A page asks for a part with a line ``% generated: PART ARGUMENT``, which Sphinx replaces when it
reads the page. So nothing is written into the sources, and nothing in the reference is older than
the code.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import click
from contract_reference import default_text, foundation, hooks, linked, prose, records, rules
from mutants import mutants
from role_guides import role_hooks, role_suite

import interlock_hookspecs as contract

_PLACEHOLDER = re.compile(r"^% generated: ([a-z_]+)(?: (\S+))?$", re.MULTILINE)


def expand(text: str) -> str:
    """A page with its generated parts in place."""
    return _PLACEHOLDER.sub(lambda found: part(found[1], found[2]), text)


def part(name: str, argument: str | None = None) -> str:
    """One generated part.

    Raises:
        KeyError: there is no part of this name.
    """
    make = PARTS[name]
    return "\n".join(make(argument) if argument else make())


# -- the stack file --------------------------------------------------------------------------------


def stack_keys(table: str) -> Iterator[str]:
    """The keys of one table of the stack file."""
    from interlock.stack import fields, rollout
    from interlock.stack.hosting import HOSTING

    known: Mapping[str, Any] = {
        "project": fields.PROJECT,
        "model": fields.MODEL,
        "task": fields.TASK,
        "policy": fields.POLICY,
        "bound": fields.BOUND,
        "stack": fields.stack_keys(),
        "hosting": HOSTING,
        "rollout": rollout.ROLLOUT,
        "rollout_bound": rollout.ROLLOUT_BOUND,
    }[table]
    homes = {"task": contract.Task, "policy": contract.Policy, "bound": contract.Bound}
    defaults = attrs.fields_dict(homes[table]) if table in homes else {}
    for name, key in known.items():
        need = "Required. " if key.required else ""
        default = defaults[name].default if name in defaults else attrs.NOTHING
        usual = "" if default is attrs.NOTHING or key.required else _toml_default(default)
        yield f"- `{name}`: {key.doc}. {need}Takes {key.kind.expected}.{usual}"


def rollout_measures() -> Iterator[str]:
    """What core measures of a release that is being rolled out."""
    from interlock.stack.rollout import MEASURES, SUBJECTS

    for name, text in MEASURES.items():
        of = "[OUTPUT]" if name in SUBJECTS else ""
        yield f"- `rollout.{name}{of}`: {text}."


def _toml_default(default: Any) -> str:
    if default is None or default == () or isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return ""
    if isinstance(default, tuple):
        shown = "[" + ", ".join(f'"{word}"' for word in default) + "]"
    elif isinstance(default, bool):
        shown = str(default).lower()
    else:
        shown = f'"{default}"' if isinstance(default, str) else f"{default:g}"
    return f" Default: `{shown}`."


def settings() -> Iterator[str]:
    """The settings of the plugins of this repository, role by role, and how to install each."""
    from importlib import metadata

    from interlock.plugins.discover import installed
    from interlock.plugins.load import load_class
    from interlock_hookspecs.form import implementations

    embedded = " ".join(metadata.requires("interlock") or ())
    for plugin in installed().values():
        if not plugin.distribution.startswith("interlock-"):
            continue
        cls = load_class(plugin)
        yield from (f"(plugin-{plugin.name})=", f"## `{plugin.name}`", "")
        yield from prose((inspect.getdoc(cls) or "").partition("\n\n")[0])
        answered = ", ".join(
            f"[`{name}`](#contract-{name.lower()})" for name in sorted(implementations(cls))
        )
        apart = "" if f"{plugin.distribution}==" in embedded else "Not embedded: "
        how = f"{apart}`pip install {plugin.distribution if apart else 'interlock'}`"
        yield from (f"{how}. Answers {answered}.", "")
        found = [field for field in attrs.fields(cls) if "doc" in field.metadata]
        annotations = {
            name: typed
            for base in reversed(cls.__mro__)
            for name, typed in inspect.get_annotations(base).items()
        }
        for field in found:
            typed = annotations.get(field.name, "")
            doc = linked(field.metadata["doc"])
            yield f"- `{field.name}: {typed}{default_text(field.default)}`: {doc}"
        yield from ("" if found else "It has no settings.", "")


# -- the command line ------------------------------------------------------------------------------


def commands() -> dict[str, click.Command]:
    """Every command by the words that one types, groups included."""
    from interlock.cli.main import COMMANDS, cli

    context = click.Context(cli, info_name="interlock")
    found: dict[str, click.Command] = {}

    def walk(words: str, command: click.Command) -> None:
        found[words] = command
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                walk(f"{words} {name}", inner)

    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            walk(f"interlock {name}", command)
    return found


def command_line() -> Iterator[str]:
    """Every command: usage, help, options."""
    for words, command in commands().items():
        level = "##" if words.count(" ") == 1 else "###"
        yield from (f"(cli-{words.replace(' ', '-')})=", f"{level} `{words}`", "")
        if not isinstance(command, click.Group):
            pieces = command.collect_usage_pieces(click.Context(command, info_name=words))
            yield from ("```text", f"{words} {' '.join(pieces)}", "```", "")
        yield from prose(inspect.cleandoc(command.help or "").replace("\b", ""))
        yield from _options(command.params)


def _options(parameters: Iterable[click.Parameter]) -> Iterator[str]:
    for parameter in parameters:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        takes = "" if parameter.is_flag else f" {_takes(parameter)}"
        default = f" Default: {parameter.default}." if parameter.show_default else ""
        need = " Required." if parameter.required else ""
        yield f"- `{names}{takes}`: {parameter.help or ''}{need}{default}"
    yield ""


def _takes(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


# -- the ledger ------------------------------------------------------------------------------------


def projections() -> Iterator[str]:
    """The tables that follow from the events, with their columns."""
    from interlock.ledger.tables import COLUMNS

    for name, columns in COLUMNS.items():
        yield f"- `{name}`: {', '.join(f'`{column}`' for column in columns)}"


def payloads() -> Iterator[str]:
    """What an event of each kind carries, by example."""
    from interlock_hookspecs.conformance.happenings import PAYLOADS

    for kind, payload in PAYLOADS.items():
        yield f"- `{kind}`: `{json.dumps(payload)}`"


PARTS: Mapping[str, Callable[..., Iterable[str]]] = {
    "hooks": hooks,
    "records": records,
    "foundation": foundation,
    "rules": rules,
    "role_hooks": role_hooks,
    "role_suite": role_suite,
    "payloads": payloads,
    "mutants": mutants,
    "stack_keys": stack_keys,
    "rollout_measures": rollout_measures,
    "settings": settings,
    "command_line": command_line,
    "projections": projections,
}
"""The parts that a page may ask for."""
