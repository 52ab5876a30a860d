"""An MLServer of our own: found, started, judged by its answers, and never left behind."""

import contextlib
import logging
import re
import signal
import socket
import sys
import time

import numpy as np
import psutil
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from interlock_deploy_seldon import SeldonServer
from interlock_deploy_seldon.mlserver import process
from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.packing import pack
from interlock_deploy_seldon.mlserver.predictor import RemotePredictor
from interlock_deploy_seldon.mlserver.process import REPOSITORY, OwnServer, Patience, where
from interlock_deploy_seldon.mlserver.repository import Repository
from interlock_hookspecs import (
    Field,
    InvalidInput,
    OpenTarget,
    PluginError,
    Signature,
    Unavailable,
)
from interlock_hookspecs.conformance.released import ENDPOINT, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel

pytestmark = pytest.mark.real_backend
PATIENCE = 300.0
SIGNATURE = Signature(
    kind="regression",
    inputs=(Field(name="x", type="double"),),
    outputs=(Field(name="prediction", type="double"),),
)
ROWS = pa.table({"x": [1.0, 2.0]})


def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def gone(pid):
    """Whether a process has ended; one that nobody has asked for its exit code has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def script(folder, text):
    path = folder / "mlserver"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o700)
    return path


def serve(ws, **settings):
    """Ask the hook to serve what it cannot."""
    SeldonServer(**settings).serve_endpoint(ENDPOINT, None, None, ws)


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace", openers={"skops": SkopsModel()})


def test_a_command_that_is_not_there_is_told_with_what_to_install(ws, tmp_path, monkeypatch):
    """On PATH, or at the path that was said, seen from the project's folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match=r"no MLServer on PATH: install mlserver"):
        serve(ws)
    with pytest.raises(InvalidInput, match=r"no MLServer at .*/project/env/bin/mlserver"):
        serve(ws, mlserver="env/bin/mlserver", root=tmp_path / "project")


def test_one_that_ends_without_an_answer_is_told_by_what_it_said(ws, tmp_path):
    """Its exit code is 0 whatever went wrong: that it did not answer is the fault."""
    path = script(tmp_path, "print('ImportError: no uvloop')\nprint('bye')")
    told = r"ended with exit code 0 before it answered: ImportError: no uvloop"
    with pytest.raises(Unavailable, match=told):
        serve(ws, mlserver=str(path))


def test_one_that_does_not_answer_is_ended(ws, tmp_path):
    """After start_seconds it is given up, with all that it started."""
    path = tmp_path / "mlserver"
    path.write_text("#!/bin/sh\necho thinking\nsleep 600 &\necho $$ $! > ../pids\nwait\n")
    path.chmod(0o700)
    with pytest.raises(Unavailable, match=r"did not answer within 8 s: thinking"):
        serve(ws, mlserver=str(path), start_seconds=8.0)
    (told,) = tmp_path.rglob("pids")
    for pid in map(int, told.read_text().split()):
        until(lambda pid=pid: gone(pid))


def test_what_cannot_be_joined_is_said(ws, tmp_path):
    """An address where nothing answers, or without the folder that goes with it."""
    with pytest.raises(InvalidInput, match="say repository, too"):
        serve(ws, url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"url http://127\.0\.0\.1:9: MLServer does not answer"):
        serve(ws, url="http://127.0.0.1:9", repository=tmp_path)
    for url in ("127.0.0.1:9", "ftp://models", "http://[", "http://h:port"):
        with pytest.raises(ValueError, match="expected an address") as caught:
            SeldonServer(url=url)
        assert url not in str(caught.value)


@contextlib.contextmanager
def own_server(home, command, parallel_workers, silent=PATIENCE):
    home.mkdir(mode=0o700)
    server = OwnServer(
        str(command),
        home,
        parallel_workers=parallel_workers,
        python_path=(),
        patience=Patience(start=PATIENCE, silent=silent, load=PATIENCE),
        log=logging.getLogger("test"),
    )
    server.start()
    with contextlib.closing(server):
        yield home


@pytest.fixture
def own(tmp_path, mlserver_command):
    """An MLServer of two processes that score."""
    with own_server(tmp_path / "home", mlserver_command, 2) as home:
        yield home


def test_a_port_that_is_taken_meanwhile_is_no_end(tmp_path, mlserver_command, monkeypatch):
    """MLServer hangs where it does not get its port: it is started on another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free_port, tries = process._free_port, []

        def port():
            tries.append(free_port() if tries else taken.getsockname()[1])
            return tries[-1]

        monkeypatch.setattr(process, "_free_port", port)
        with own_server(tmp_path / "home", mlserver_command, 0) as home:
            # A port that was free may well be found a second time.
            assert where(home) == f"http://127.0.0.1:{tries[-1]}"
            assert len(tries) > 1


def test_two_of_them_are_in_nobodys_way(own, tmp_path, mlserver_command):
    """None needs a port that is the same for all: theirs for gRPC, which nobody asks, is any."""
    with own_server(tmp_path / "second", mlserver_command, 0) as second:
        assert where(own) != where(second)
        with contextlib.closing(Api(lambda: where(own), 60.0, PATIENCE)) as api:
            assert api.name()


@pytest.fixture
def api(own):
    with contextlib.closing(Api(lambda: where(own), 60.0, PATIENCE)) as made:
        yield made


def the_keeper():
    """Of the children of this process; other tests of it may have left theirs."""
    children = psutil.Process().children()
    (keeper,) = [one for one in children if any("keeper.py" in word for word in one.cmdline())]
    return keeper


def test_one_of_several_processes_is_killed_and_leaves_nobody(own, api, ws):
    """Its workers go with it, the next one is asked to load the model again, and answers."""
    fitted = LinearRegression().fit(np.array([[1.0], [2.0]]), [3.0, 5.0])
    model = ws.write_model("skops", fitted, SIGNATURE)
    target = OpenTarget(target=target_of(1, model=model), predictor=ws.open_model(model))
    expected = target.predictor.predict(ROWS)
    repository = Repository(own / REPOSITORY, api)
    held = repository.take(lambda folder: pack(target, folder, ws))
    remote = RemotePredictor(SIGNATURE, held, api, lambda: None)
    assert remote.predict(ROWS).equals(expected)

    def of_what_is_not_there(folder):
        made = pack(target, folder, ws)
        (folder / "model.joblib").write_bytes(b"cnot_in_mlserver\nThing\n.")
        return made

    with pytest.raises(PluginError, match="not in MLServer's environment: No module named"):
        repository.take(of_what_is_not_there)
    keeper = the_keeper()
    (first,) = keeper.children()
    family = first.children(recursive=True)
    assert len(family) >= 2
    first.send_signal(signal.SIGKILL)
    until(lambda: not keeper.is_running())
    until(lambda: all(gone(one.pid) for one in family))
    with pytest.raises(Unavailable):
        remote.predict(ROWS)

    def answers():
        with contextlib.suppress(Unavailable):
            repository.see_to(held)
            return remote.predict(ROWS).equals(expected)
        return False

    until(answers)
    # Who keeps it is killed, too: neither it nor its workers outlive that.
    keeper = the_keeper()
    (second,) = keeper.children()
    assert second.pid != first.pid
    family = [second, *second.children(recursive=True)]
    assert len(family) >= 3
    keeper.kill()
    until(lambda: all(gone(one.pid) for one in family))


@pytest.fixture
def watched(tmp_path, mlserver_command):
    """One that is soon taken for hanging."""
    with own_server(tmp_path / "home", mlserver_command, 2, silent=12.0) as home:
        yield home


def test_one_that_hangs_is_killed_and_started_again(watched, ws, caplog):
    """With all its processes; the next one has the model loaded, and answers as before."""
    fitted = LinearRegression().fit(np.array([[1.0], [2.0]]), [3.0, 5.0])
    model = ws.write_model("skops", fitted, SIGNATURE)
    target = OpenTarget(target=target_of(1, model=model), predictor=ws.open_model(model))
    expected = target.predictor.predict(ROWS)
    patient, hasty = (Api(lambda: where(watched), seconds, PATIENCE) for seconds in (60.0, 2.0))
    with contextlib.closing(patient), contextlib.closing(hasty):
        repository = Repository(watched / REPOSITORY, patient)
        held = repository.take(lambda folder: pack(target, folder, ws))
        remote = RemotePredictor(SIGNATURE, held, hasty, lambda: None)
        (first,) = the_keeper().children()
        family = [first, *first.children(recursive=True)]
        first.suspend()
        with pytest.raises(Unavailable, match="no answer in time"):
            remote.predict(ROWS)
        until(lambda: all(gone(one.pid) for one in family))
        remote = RemotePredictor(SIGNATURE, held, patient, lambda: None)

        def answers():
            with contextlib.suppress(Unavailable):
                repository.see_to(held)
                return remote.predict(ROWS).equals(expected)
            return False

        until(answers)
    assert re.search(r"MLServer did not answer for \d+ s and is killed", caplog.text)
