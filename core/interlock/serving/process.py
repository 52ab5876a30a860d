"""The server process of an endpoint: started, watched, ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock.errors import InterlockError
from interlock.processes import ProcessIdentity, is_alive
from interlock_hookspecs import Deployment, Facts, Target

if TYPE_CHECKING:
    from interlock.session import Session

_START_SECONDS = 120.0
# The last words of a server whose worker could not start; the worker said before them why.
_OF_A_WORKER = "before it listened"
_STOP_SECONDS = 30.0
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.02


def folder(session: Session) -> Path:
    """Where servers leave their logs and say where they listen."""
    return session.home / "servers"


def order_path(home: Path, deployment_id: str) -> Path:
    """Where a server finds an order to go back, in the folder of servers: see `standby`."""
    return home / f"{deployment_id}.order"


def is_ours(deployment: Deployment) -> bool:
    """Whether the endpoint is a process that core started."""
    return "pid" in deployment.facts


def identity(deployment: Deployment) -> ProcessIdentity:
    """The process of a deployment, as it was recorded."""
    facts = deployment.facts
    return ProcessIdentity(
        host=str(facts["host"]),
        pid=int(facts["pid"] or 0),
        started=int(facts["started"] or 0),
        boot=str(facts["boot"]),
    )


def is_running(deployment: Deployment) -> bool:
    """Whether the process of a deployment lives on this machine."""
    return is_ours(deployment) and is_alive(identity(deployment)) is True


def start(session: Session, deployment: Deployment) -> Deployment:
    """Start the server of a deployment, and wait until it says where it listens.

    The process outlives this one: it has a session of its own, and its output goes to a log. One
    that an earlier, killed command started is taken over.

    Raises:
        InterlockError: it ended, or did not listen in time; the end of its log is shown.
    """
    home = folder(session)
    home.mkdir(parents=True, exist_ok=True)
    said, log = home / f"{deployment.id}.json", home / f"{deployment.id}.log"
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with _alone(home / f"{deployment.id}.lock") as lock:
            if lock is not None:
                said.unlink(missing_ok=True)
                server = _launch(session, deployment, log, lock)
                told = _wait_until_told(server, said, log, deadline)
                break
        found = _told(said)
        if found is not None and is_alive(ProcessIdentity(**found["process"])):
            told = found
            break
        if time.monotonic() > deadline:
            raise _late(log)
        time.sleep(_POLL_SECONDS)
    facts = Facts({**told["process"], "log": str(log)})
    return attrs.evolve(deployment, address=told["address"], facts=facts)


@contextmanager
def _alone(path: Path) -> Iterator[int | None]:
    """A lock that a server holds for its life, from before it is started; None where one does.

    The server inherits it. So there is no moment at which a command could die and leave a server
    that the next command does not see.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield handle
    finally:
        os.close(handle)


def command(session: Session, deployment_id: str) -> tuple[str, ...]:
    """What starts a server process of a deployment."""
    file, stack = str(session.stack.file), session.stack.name
    return (sys.executable, "-m", "interlock.serving", file, stack, deployment_id)


def _launch(
    session: Session, deployment: Deployment, log: Path, lock: int
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command(session, deployment.id),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock,),
            cwd=session.stack.root,
        )


def _wait_until_told(
    server: subprocess.Popen[bytes], said: Path, log: Path, deadline: float
) -> Mapping[str, Any]:
    while (told := _told(said)) is None:
        if server.poll() is not None:
            raise _failed(f"the server ended with exit code {server.returncode}", log)
        if time.monotonic() > deadline:
            server.terminate()
            raise _late(log)
        time.sleep(_POLL_SECONDS)
    return told


def _told(said: Path) -> Mapping[str, Any] | None:
    """What a server says of itself once it listens; None before that."""
    try:
        told: Mapping[str, Any] = json.loads(said.read_bytes())
    except FileNotFoundError:
        return None
    return told


def _late(log: Path) -> InterlockError:
    return _failed(f"the server did not listen within {_START_SECONDS:.0f} s", log)


def wait_until_serving(
    session: Session, deployment: Deployment, targets: tuple[Target, ...]
) -> None:
    """Wait until an endpoint says that it serves these targets, and nothing that is not one.

    Raises:
        InterlockError: it ended, or did not come to it in time.
    """
    maker = deployment.maker
    if maker is None:
        msg = f"nobody made {deployment.id}"
        raise InterlockError(msg)
    wanted = {target.release.id for target in targets if not target.mirror}
    deadline = time.monotonic() + _START_SECONDS
    found = "it does not answer"
    while time.monotonic() < deadline:
        status = session.funnel.owner("endpoint_status", maker, deployment=deployment)
        if status.ready and wanted == set(status.serving):
            return
        serves = f"it serves {', '.join(status.serving) or 'nothing'}"
        found = "; ".join(filter(None, (serves if status.live else "", status.detail)))
        if is_alive(identity(deployment)) is False:
            raise _failed("the server ended", Path(str(deployment.facts["log"])))
        time.sleep(_POLL_SECONDS)
    msg = f"{deployment.address} did not come to serve {', '.join(sorted(wanted))}: {found}"
    raise InterlockError(msg, hint=f"see {deployment.facts['log']}")


def stop(deployment: Deployment) -> None:
    """End the process of a deployment after its requests in flight. One that is gone is fine.

    Raises:
        InterlockError: it does not end.
    """
    process = identity(deployment)
    if is_alive(process) is None:
        msg = f"{deployment.endpoint.name} runs on {process.host}: end it there"
        hint = "should that machine be gone: interlock deployments --start, then this again"
        raise InterlockError(msg, hint=hint)
    if not is_alive(process):
        return
    if not _ends(process, signal.SIGTERM, _STOP_SECONDS):
        msg = f"process {process.pid} does not end"
        raise InterlockError(msg, hint=f"kill -9 {process.pid}")


def kill(deployment: Deployment) -> None:
    """End the process of a deployment, which answers nobody: it has a moment to hear of it.

    Raises:
        InterlockError: it does not end.
    """
    process = identity(deployment)
    if _ends(process, signal.SIGTERM, _KILL_SECONDS):
        return
    if not _ends(process, signal.SIGKILL, _STOP_SECONDS):
        msg = f"process {process.pid} does not end, killed as it is: the system waits for a device"
        raise InterlockError(msg, hint=f"grep State /proc/{process.pid}/status")


def _ends(process: ProcessIdentity, number: signal.Signals, seconds: float) -> bool:
    """Whether a process ends within some time of a signal."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        _reap(process.pid)
        time.sleep(_POLL_SECONDS)
    return True


def _reap(pid: int) -> None:
    """Collect the process where it is our own child, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _failed(what: str, log: Path) -> InterlockError:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.strip() and not line.endswith(_OF_A_WORKER)]
    last = said[-1] if said else "it wrote nothing"
    return InterlockError(f"{what}: {last.strip()}", hint=f"see {log}")
