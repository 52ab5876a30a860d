"""Every hook call of a command, kept; and written as a trace that Perfetto and Chrome show.

The file is the JSON object form of the Trace Event Format
(https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU): a complete event
(``X``) a call and a stage, metadata events (``M``) that name process and threads, times in
microseconds since the command began.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs

from interlock.errors import HookFailed, InterlockError
from interlock.ids import short
from interlock.plugins.watch import UNANSWERED, Called
from interlock_hookspecs import Artifact, Maker
from interlock_hookspecs.form import contract

_MICRO = 1e6


@attrs.define(kw_only=True, eq=False)
class Step:
    """A call as it is kept: sizes instead of values, which may be large or nobody's business.

    Attributes:
        hook, maker: what was asked, and who.
        stage: the stage under way; empty outside of one.
        subject: what the first argument calls itself: an id, a digest, a format.
        given: the size of each argument.
        gave: the size of the answer; None where there was no answer.
        error: what went wrong; empty where nothing did.
        thread: the system's number of the thread that called.
        started, seconds: on the clock of ``time.perf_counter``.
    """

    hook: str
    maker: Maker
    stage: str
    subject: str
    given: Mapping[str, Mapping[str, Any]]
    gave: Mapping[str, Any] | None
    error: str
    thread: int
    started: float
    seconds: float


@attrs.define(eq=False)
class Span:
    """A stage, while it was under way; without an end where it never came to one."""

    name: str
    thread: int
    started: float
    ended: float | None = None


class Recorder:
    """A watcher that keeps what it sees; ``redact`` takes secrets out of errors."""

    def __init__(self) -> None:
        self.redact: Callable[[str], str] = str
        self.steps: list[Step] = []
        self.stages: list[Span] = []
        self.threads: dict[int, str] = {}
        self.began = perf_counter()
        self.at = datetime.now(UTC)
        self._last: dict[int, Step] = {}

    def called(self, call: Called) -> None:
        """Keep a call."""
        thread = self._thread()
        step = Step(
            hook=call.hook,
            maker=call.maker,
            stage=self._stage(),
            subject=_subject(call),
            given={name: size(value) for name, value in call.arguments.items()},
            gave=None if call.answer is UNANSWERED else size(call.answer),
            error=self.redact(_said(call)),
            thread=thread,
            started=call.started,
            seconds=call.seconds,
        )
        self._last[thread] = step
        self.steps.append(step)

    def refused(self, error: HookFailed) -> None:
        """Keep that the last call of this thread gave something of another type."""
        self._last[threading.get_native_id()].error = self.redact(str(error))

    def stage(self, name: str) -> None:
        """A stage began."""
        self.stages.append(Span(name, self._thread(), perf_counter()))

    def done(self, name: str) -> None:
        """A stage ended, where it had begun: one that is reused never does."""
        if self.stages and self.stages[-1].name == name:
            self.stages[-1].ended = perf_counter()

    def _thread(self) -> int:
        thread = threading.get_native_id()
        self.threads.setdefault(thread, threading.current_thread().name)
        return thread

    def _stage(self) -> str:
        latest = self.stages[-1] if self.stages else None
        return latest.name if latest and latest.ended is None else ""


def size(value: Any) -> dict[str, Any]:
    """How large a value is, by its own word and without a copy of it; never what it is.

    >>> size("secret"), size([1, 2])
    ({'type': 'str', 'length': 6}, {'type': 'list', 'items': 2})
    """
    found: dict[str, Any] = {"type": type(value).__name__}
    if isinstance(value, str | bytes):
        found["length"] = len(value)
    elif isinstance(value, list | tuple | dict):
        found["items"] = len(value)
    elif hasattr(value, "num_rows") and hasattr(value, "nbytes"):
        found |= {"rows": value.num_rows, "columns": value.num_columns, "bytes": value.nbytes}
    else:
        artifact = value if isinstance(value, Artifact) else getattr(value, "artifact", None)
        if isinstance(artifact, Artifact):
            found["bytes"] = artifact.size
    return found


def trace_events(recorder: Recorder, *, command: str) -> Iterator[dict[str, Any]]:
    """The events of a trace: process and threads named first, then stages and calls by time."""
    ended = perf_counter()
    process = {"ph": "M", "pid": os.getpid(), "ts": 0}
    main = threading.main_thread().native_id or 0
    yield {**process, "tid": main, "name": "process_name", "args": {"name": command}}
    for thread, name in recorder.threads.items():
        yield {**process, "tid": thread, "name": "thread_name", "args": {"name": name}}
    spans = [
        _complete(
            recorder,
            name=span.name,
            cat="stage",
            tid=span.thread,
            started=span.started,
            seconds=(span.ended or ended) - span.started,
            args={},
        )
        for span in recorder.stages
    ]
    spans += [
        _complete(
            recorder,
            name=f"{step.maker.plugin} {step.hook}",
            cat=f"hook,{contract()[step.hook].role}",
            tid=step.thread,
            started=step.started,
            seconds=step.seconds,
            args={
                "plugin": step.maker.plugin,
                "version": step.maker.version,
                "hook": step.hook,
                "rule": contract()[step.hook].rule,
                "stage": step.stage,
                "in": step.given,
                "out": step.gave,
                "error": step.error,
            },
        )
        for step in recorder.steps
    ]
    yield from sorted(spans, key=lambda event: (event["ts"], -event["dur"]))


def _complete(recorder: Recorder, *, started: float, seconds: float, **more: Any) -> dict[str, Any]:
    times = {
        "ts": round((started - recorder.began) * _MICRO, 3),
        "dur": round(seconds * _MICRO, 3),
    }
    return {"ph": "X", "pid": os.getpid(), **times, **more}


def write_trace(path: Path, recorder: Recorder, *, command: str) -> None:
    """Write a trace, whole or not at all.

    Raises:
        InterlockError: the file cannot be written.
    """
    import orjson

    content = {
        "traceEvents": list(trace_events(recorder, command=command)),
        "displayTimeUnit": "ms",
        "otherData": {"began": recorder.at.isoformat()},
    }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as stream:
            stream.write(orjson.dumps(content))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        msg = f"the trace {path} cannot be written: {error.strerror or error}"
        raise InterlockError(msg, hint="--trace with another file") from error
    finally:
        draft.unlink(missing_ok=True)


def _said(call: Called) -> str:
    if call.error is not None:
        return str(call.error)
    return "interrupted" if call.answer is UNANSWERED else ""


def _subject(call: Called) -> str:
    """What the hook's first argument is, where that can be said in a word or two."""
    name = contract()[call.hook].parameters[0]
    if name not in call.arguments:
        return ""
    value = call.arguments[name]
    if isinstance(value, str):
        return f"{name} {value!r}"
    known = [getattr(value, attribute, None) for attribute in ("id", "format", "digest")]
    words = [type(value).__name__, *(short(word) for word in known if isinstance(word, str))]
    return f"{name}: {' '.join(words)}"
