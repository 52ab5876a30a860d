"""``${NAME}`` in a value: expanded from the environment into a `Secret`, recorded unexpanded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from interlock_hookspecs import Secret, reveal

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")

_S3_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


class BadReferenceError(ValueError):
    """A ``${`` that names no variable."""


@attrs.frozen
class Unset:
    """A value whose variables the environment lacks.

    It turns into an error only where it is used: who reads the ledger needs no key of a server.

    Attributes:
        variables: which.
        written: the value as the file has it.
    """

    variables: tuple[str, ...]
    written: str = attrs.field(repr=False)

    def __str__(self) -> str:
        return "***"

    @property
    def problem(self) -> str:
        """The sentence that says so."""
        names = ", ".join(self.variables)
        return f"needs the environment variable {names}, which is not set"


def variables(value: Any) -> tuple[str, ...]:
    """The variables that a value names, sorted.

    >>> variables({"url": "http://${HOST}:${PORT:-80}", "plain": "$${no}"})
    ('HOST', 'PORT')
    """
    return tuple(
        sorted({found[1] for text in _texts(value) for found in _references(text) if found[1]})
    )


def mentions_environment(value: Any) -> bool:
    """Whether anything in a value would be expanded."""
    return any(found[0] != "$${" for text in _texts(value) for found in _references(text))


def expand(value: Any, environ: Mapping[str, str]) -> Any:
    """A value with each text that names variables as a `Secret`, or as `Unset`.

    ``${NAME:-text}`` takes the text where the variable is not set; ``$${`` writes ``${`` itself.

    Raises:
        BadReferenceError: a ``${`` that names no variable.

    >>> expand(["a", "${X}", "$${X}"], {"X": "b"})
    ['a', ***, '${X}']
    """
    if isinstance(value, str):
        return _expand_text(value, environ)
    if isinstance(value, list | tuple):
        return [expand(item, environ) for item in value]
    if isinstance(value, Mapping):
        return {key: expand(item, environ) for key, item in value.items()}
    return value


def environment_secrets(value: Any, environ: Mapping[str, str]) -> Iterator[Secret[str]]:
    """What a value takes from the environment: each variable, and each text made of them."""
    for text in _texts(value):
        named = [found[1] for found in _references(text) if found[1]]
        yield from (Secret(environ[name]) for name in named if environ.get(name))
        if named:
            whole = _expand_text(text, environ)
            if isinstance(whole, Secret):
                yield whole


def store_secrets(
    address: str | Secret[str] | Unset, environ: Mapping[str, str]
) -> Iterator[Secret[str]]:
    """What an S3 store's driver takes from the environment by itself: its secrets, and its host."""
    if not str(reveal(address)).startswith(("s3://", "s3a://")):
        return
    yield from (Secret(environ[name]) for name in _S3_SECRETS if environ.get(name))
    for name in _S3_ENDPOINTS:
        # Without the scheme: the redactor would hide the host of every other address, too.
        host = environ.get(name, "").partition("://")[2].partition("/")[0]
        if host:
            yield Secret(host)


def unset(value: Any) -> Iterator[Unset]:
    """Everything in an expanded value that lacks its variable."""
    if isinstance(value, Unset):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from unset(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from unset(item)


def _references(text: str) -> Iterator[re.Match[str]]:
    return _REFERENCE.finditer(text) if "${" in text else iter(())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)


def _expand_text(text: str, environ: Mapping[str, str]) -> Any:
    if "${" not in text:
        return text
    missing: list[str] = []
    secret = False

    def replace(found: re.Match[str]) -> str:
        nonlocal secret
        name, default = found[1], found[2]
        if found[0] == "$${":
            return "${"
        if name is None:
            msg = "'${' begins no name: write ${NAME}, or $${ for the characters themselves"
            raise BadReferenceError(msg)
        secret = True
        # An empty variable counts as unset, as ${NAME:-text} has it in a shell.
        value = environ.get(name) or default
        if value is None:
            missing.append(name)
        return value or ""

    expanded = _REFERENCE.sub(replace, text)
    if missing:
        return Unset(tuple(dict.fromkeys(missing)), text)
    return Secret(expanded) if secret else expanded
