"""What the guide of a role takes from the contract: its hooks, and what its suite holds."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from typing import Any

from contract_reference import linked

import interlock_hookspecs as contract

_NEEDS = re.compile(r'needs\(plugin, "(\w+)"\)')


def role_hooks(role: str) -> Iterator[str]:
    """The hooks of a role: what each is for, whether it is required, and who is asked."""
    for spec in contract.specs().values():
        if role not in spec.roles:
            continue
        need = "required" if spec.required else "optional"
        if spec.instead:
            need = f"instead of `{spec.instead}`"
        summary = (inspect.getdoc(spec.function) or "").partition("\n")[0]
        link = f"[`{spec.name}`](#contract-{spec.name.lower()})"
        sentence = contract.SENTENCES[spec.rule]
        yield f"- {link} ({need}): {linked(summary)} {sentence}"
    yield ""


def role_suite(role: str) -> Iterator[str]:
    """Every promise that the suite of a role holds a plugin to."""
    from interlock.plugins.scaffold import template_roles

    suite = suite_of(role)
    if suite is None:
        yield from ("The contract has no suite of this role yet: test what its hooks say.", "")
        return
    place = f"{suite.__module__}.{suite.__name__}"
    yield from (f"A subclass of `{place}` with a fixture `plugin` holds it to these:", "")
    for promise, hook in promises(suite):
        only = f" (with `{hook}`)" if hook else ""
        yield f"- {linked(promise)}{only}"
    yield ""
    if role in template_roles():
        yield f"`interlock plugins new {role}-acme` writes a plugin that keeps them."


def suite_of(role: str) -> type[Any] | None:
    """The suite of the module that has the role's hooks; None where there is none."""
    for spec in contract.specs().values():
        if role not in spec.roles:
            continue
        stage = spec.function.__module__.rpartition(".")[2]
        name = f"interlock_hookspecs.conformance.{stage}"
        if importlib.util.find_spec(name) is not None:
            suite: type[Any] = getattr(importlib.import_module(name), f"{stage.capitalize()}Suite")
            return suite
    return None


def promises(suite: type[Any]) -> Iterator[tuple[str, str]]:
    """Each promise of a suite in the order of its source, and the optional hook that it is of."""
    own = [base for base in reversed(suite.__mro__) if base is not object]
    tests = {name: getattr(suite, name) for base in own for name in vars(base)}
    for name, function in tests.items():
        if name.startswith("test_"):
            hook = _NEEDS.search(inspect.getsource(function))
            sentence = (inspect.getdoc(function) or name).partition("\n")[0]
            yield sentence, hook[1] if hook else ""
