"""Secrets out of everything that is written or printed.

A `Secret` hides itself; what a library makes of it (an error of a database driver, a URL in a log
line) does not. So all output passes a `Redactor` that knows the secrets' texts.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from interlock_hookspecs import Secret, reveal

if TYPE_CHECKING:
    from interlock.stack import Stack

SHORTEST = 4
"""Shorter secrets are not replaced: "1" or "dev" stands in any text by chance, and replacing it
everywhere would both ruin the output and show, by the holes, what the secret is."""

HIDDEN = "***"
_LINE = 8
_TELLING = re.compile(r"pass|pwd|token|secret|key|sig|cred|auth", re.IGNORECASE)


class Redactor:
    """Replaces secrets by ``***``, in their raw, URL-encoded, escaped and base64 forms.

    >>> redact = Redactor([Secret("s3cr/t pass")])
    >>> redact("GET /?q=s3cr%2Ft+pass and s3cr/t pass")
    'GET /?q=*** and ***'
    """

    def __init__(self, secrets: Iterable[Secret[Any]] = ()) -> None:
        self._forms: set[str] = set()
        self._initials: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[Secret[Any]]) -> None:
        """Know more secrets."""
        for secret in secrets:
            for part in _parts(str(reveal(secret))):
                self._forms |= {form for form in _forms(part) if len(form) >= SHORTEST}
        self._initials = {form[0] for form in self._forms}
        # The longest first: a secret that holds another is replaced whole.
        ordered = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def unfinished(self, text: str) -> int:
        """How many characters at a text's end may be the beginning of a secret."""
        longest = min(max(map(len, self._forms), default=1) - 1, len(text))
        for length in range(longest, 0, -1):
            # The set of first letters spares nearly every comparison.
            if text[-length] in self._initials:
                end = text[-length:]
                if any(form.startswith(end) for form in self._forms):
                    return length
        return 0

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"


class RedactingStream(io.TextIOBase):
    """A text stream that passes on what is written to it, without secrets.

    A secret that comes in pieces is caught too: an end that may be the beginning of one waits for
    the next write, or for a flush.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor
        self._held = ""

    def write(self, text: str) -> int:
        """Pass text on; gives the number of characters taken."""
        whole = self._redactor(self._held + text)
        waiting = self._redactor.unfinished(whole)
        self._held = whole[len(whole) - waiting :]
        self._stream.write(whole[: len(whole) - waiting])
        return len(text)

    def flush(self) -> None:
        """Pass on what waits, too."""
        if self._stream.closed:
            return
        if self._held:
            self._stream.write(self._held)
            self._held = ""
        self._stream.flush()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def isatty(self) -> bool:
        """Ask the stream behind."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Give the descriptor of the stream behind."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed's is writable, CPython's is not
        """The encoding of the stream behind; rich chooses the characters of its bars by it."""
        return self._stream.encoding


class RedactingFilter(logging.Filter):
    """A filter for logging handlers: the message, its arguments and its traceback.

    Put it on handlers, not on loggers: a logger's filters do not see its children's records.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, redacted."""
        self._redact_message(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            # A formatter uses this text instead of formatting the exception again.
            record.exc_text = self._redactor(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor(record.stack_info)
        return True

    def _redact_message(self, record: logging.LogRecord) -> None:
        try:
            plain = record.getMessage()
        except (TypeError, ValueError):
            # A message that does not fit its arguments is printed all the same.
            plain = f"{record.msg} {record.args}"
            record.args = ()
        redacted = self._redactor(plain)
        if redacted != plain or not record.args:
            # Arguments stay where they are harmless: formatters of access logs read them.
            record.msg, record.args = redacted, ()


def collect_secrets(stack: Stack) -> tuple[Secret[Any], ...]:
    """Every secret of a stack: each variable that it names, and each text made of them."""
    return (*stack.secrets, *_secrets_in((stack.settings, stack.ledger, stack.artifacts)))


def _secrets_in(value: Any) -> Iterator[Secret[Any]]:
    if isinstance(value, Secret):
        yield value
    elif hasattr(value, "values"):
        for item in value.values():
            yield from _secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets_in(item)


def _parts(text: str) -> Iterator[str]:
    """A secret, and what of it is a secret by itself.

    That is the password of a URL, where a URL leads as errors say it, and a line of a key.
    """
    yield text
    if text.strip() != text:
        yield text.strip()
    if "\n" in text:
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= _LINE)
    if "://" not in text:
        return
    try:
        url = urlsplit(text)
        password = url.password
    except ValueError:
        # It is no URL after all; the text as a whole is known.
        return
    if password:
        yield from (password, unquote(password))
    # The file of sqlite:///FILE and sqlite:////FILE; the host with the database.
    place = f"{url.hostname}{url.path}" if url.hostname else url.path
    if len(place.strip("/")) >= _LINE:
        yield from (place, place.removeprefix("/"))
    for name, value in parse_qsl(url.query):
        if _TELLING.search(name):
            yield value


def _forms(text: str) -> Iterator[str]:
    yield from (text, quote(text), quote(text, safe=""), quote_plus(text))
    # As a repr and as JSON write it, without the quotes around.
    written = (repr(text), json.dumps(text), json.dumps(text, ensure_ascii=False))
    yield from (form[1:-1] for form in written)
    # Without its padding, so that it is found with it, too.
    data = text.encode("utf-8", "surrogatepass")
    yield from (coded.decode().rstrip("=") for coded in (b64encode(data), urlsafe_b64encode(data)))


class _OutputRedactor(Redactor):
    """One that output passes, from its first secret on."""

    _stands = False

    def add(self, secrets: Iterable[Secret[Any]]) -> None:
        """Know more secrets."""
        known = tuple(secrets)
        super().add(known)
        if known and not self._stands:
            self._stands = True
            sys.stdout = RedactingStream(sys.stdout, self)
            sys.stderr = RedactingStream(sys.stderr, self)
            for handler in logging.getLogger().handlers:
                handler.addFilter(RedactingFilter(self))


def redact_output(stack: Stack) -> Redactor:
    """From here on, what this process prints or logs is without the stack's secrets.

    Tracebacks of uncaught exceptions go through the replaced ``sys.stderr``, too. Secrets that it
    is told of later are out of what is printed from then on.
    """
    return _OutputRedactor(collect_secrets(stack))
