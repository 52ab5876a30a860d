"""The cache of a store elsewhere: within its bound, and never without what is read."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from interlock.artifacts import cache as module
from interlock.artifacts import open_store
from interlock.artifacts.cache import Cache
from interlock.artifacts.workspace import CoreWorkspace
from interlock.errors import StackError
from interlock.stack import describe, load_stack
from interlock_hookspecs import bytes_digest, file_digest
from interlock_hookspecs.conformance.together import in_processes

HOLDS = """
import sys
from pathlib import Path
from interlock.artifacts.cache import Cache

print(Cache(Path(sys.argv[1])).hold(sys.argv[2]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def blob(tmp_path):
    """Write a file of 100 bytes that a number decides, and give its name in a store."""

    def write(number, size=100):
        data = random.Random(number).randbytes(size)  # noqa: S311  (no secret)
        path = tmp_path / "sources" / bytes_digest(data).removeprefix("sha256:")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def ticking(monkeypatch):
    """A clock on which each use is later than the one before, however soon it comes."""
    ticks = iter(range(10**9, 10**10))
    monkeypatch.setattr(module.time, "time_ns", lambda: next(ticks))


def files(folder):
    """The names of the blobs that a cache has."""
    return {path.name for path in (folder / "sha256").glob("*/*")}


def descriptors():
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def used(cache, path):
    """Add a blob, or use it again, and let it go."""
    cache.add(path.name, path)
    cache.let_go(path.name)


@pytest.mark.usefixtures("ticking")
def test_what_was_used_longest_ago_goes_first(tmp_path, blob):
    """Being read again counts as use."""
    cache = Cache(tmp_path / "cache", 450)
    first, second, third, fourth, fifth = (blob(number) for number in range(5))
    for path in (first, second, third, fourth, first):
        used(cache, path)
    assert files(tmp_path / "cache") == {path.name for path in (first, second, third, fourth)}
    used(cache, fifth)
    assert files(tmp_path / "cache") == {path.name for path in (third, fourth, first, fifth)}
    used(cache, blob(5))
    assert files(tmp_path / "cache") == {path.name for path in (fourth, first, fifth, blob(5))}


@pytest.mark.usefixtures("ticking")
def test_what_is_held_stays_and_goes_when_it_is_let_go(tmp_path, blob):
    """Held twice, it has to be let go twice."""
    cache = Cache(tmp_path / "cache", 250)
    held = blob(0)
    path = cache.add(held.name, held)
    assert cache.hold(held.name) == path
    for number in range(1, 9):
        used(cache, blob(number))
        assert path.read_bytes() == held.read_bytes()
        assert len(files(tmp_path / "cache")) <= 2
    cache.let_go(held.name)
    used(cache, blob(9))
    assert path.exists()
    cache.let_go(held.name)
    used(cache, blob(10))
    used(cache, blob(11))
    assert not path.exists()


def test_what_another_process_holds_stays_until_it_ends(tmp_path, blob):
    """However it ends: the kernel tells."""
    cache = Cache(tmp_path / "cache", 250)
    held = blob(0)
    used(cache, held)
    words = [sys.executable, "-c", HOLDS, tmp_path / "cache", held.name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        path = Path(other.stdout.readline().strip())
        for number in range(1, 6):
            used(cache, blob(number))
            assert file_digest(path) == f"sha256:{held.name}"
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    used(cache, blob(6))
    used(cache, blob(7))
    assert held.name not in files(tmp_path / "cache")


def test_many_processes_share_a_cache(tmp_path, blob):
    """Whatever each holds is whole while it holds it; in the end the bound is kept."""
    folder, sources = tmp_path / "cache", [blob(number) for number in range(12)]

    def work(seed):
        cache, draw = Cache(folder, 450), random.Random(seed)  # noqa: S311  (no secret)
        for _ in range(150):
            source = draw.choice(sources)
            path = cache.add(source.name, source)
            again = cache.hold(source.name)
            cache.let_go(source.name)
            assert again == path
            assert path.read_bytes() == source.read_bytes()
            cache.let_go(source.name)

    in_processes([lambda seed=seed: work(seed) for seed in range(4)])
    Cache(folder, 450).sweep()
    assert 1 <= len(files(folder)) <= 4
    assert list((folder / "scratch").iterdir()) == []


def test_many_threads_share_a_cache(tmp_path, blob):
    """As the hooks of one process do; no descriptor is left open."""
    folder, sources = tmp_path / "cache", [blob(number) for number in range(12)]
    cache, wrong = Cache(folder, 450), []
    before = descriptors()

    def work(seed):
        draw = random.Random(seed)  # noqa: S311  (no secret)
        for _ in range(100):
            source = draw.choice(sources)
            try:
                if cache.add(source.name, source).read_bytes() != source.read_bytes():
                    wrong.append(source)
            except OSError as error:
                wrong.append(error)
            cache.let_go(source.name)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert descriptors() == before


def test_a_blob_that_two_add_at_once_is_one_file(tmp_path, blob):
    """The holder of the first has a lock on the file that stays."""
    one, other = Cache(tmp_path / "cache"), Cache(tmp_path / "cache", 250)
    source = blob(0)
    one.add(source.name, source)
    before = (tmp_path / "cache/sha256" / source.name[:2] / source.name).stat().st_ino
    # The other had not seen it when it began.
    other.hold, hold = lambda name: (_ for _ in ()).throw(FileNotFoundError(name)), other.hold
    path = other.add(source.name, source)
    other.hold = hold
    assert path.stat().st_ino == before
    other.let_go(source.name)
    for number in range(1, 6):
        used(other, blob(number))
    assert path.read_bytes() == source.read_bytes()


def test_what_goes_between_being_opened_and_locked_is_not_handed_out(tmp_path, blob, monkeypatch):
    """A lock on a file that has no name any more keeps nothing."""
    cache, source = Cache(tmp_path / "cache"), blob(0)
    used(cache, source)
    (path,) = (tmp_path / "cache/sha256").glob("*/*")
    lock = module.fcntl.flock

    def late(handle, how):
        path.unlink(missing_ok=True)
        lock(handle, how)

    monkeypatch.setattr(module.fcntl, "flock", late)
    with pytest.raises(FileNotFoundError):
        cache.hold(source.name)


@pytest.mark.usefixtures("ticking")
def test_what_is_larger_than_the_bound_drives_nothing_else_out(tmp_path, blob):
    """It is there while it is held, and the first to go."""
    cache = Cache(tmp_path / "cache", 450)
    small, large = [blob(number) for number in range(3)], blob(9, size=1000)
    for path in small:
        used(cache, path)
    held = cache.add(large.name, large)
    assert held.read_bytes() == large.read_bytes()
    cache.let_go(large.name)
    cache.sweep()
    assert files(tmp_path / "cache") == {path.name for path in small}


def test_what_somebody_removed_is_fetched_again(tmp_path, blob):
    """By hand, while nothing read it."""
    store = open_store(f"memory://{tmp_path.name}", tmp_path / "cache", limit=450)
    kept = store.keep(blob(0))
    for path in (tmp_path / "cache/sha256").glob("*/*"):
        path.unlink()
    assert store.read(kept) == blob(0).read_bytes()


def test_a_store_keeps_within_its_bound_and_gives_back_everything(tmp_path, blob):
    """Files and folders of ten times the bound; only what is located stays."""
    store = open_store(f"memory://{tmp_path.name}", tmp_path / "cache", limit=450)
    kept = {number: store.keep(blob(number)) for number in range(40)}
    folder = store.keep(blob(0).parent, name="folder")
    store.check(folder)
    for number, artifact in kept.items():
        assert store.read(artifact) == blob(number).read_bytes()
        assert len(files(tmp_path / "cache")) <= 4
    with store.located(kept[0]) as path:
        assert {one.name for one in store.unfold(folder, tmp_path / "laid out").iterdir()} == {
            one.name for one in blob(0).parent.iterdir()
        }
        assert path.read_bytes() == blob(0).read_bytes()


def test_what_a_hook_located_stays_until_its_workspace_is_left(tmp_path, blob):
    """A hook reads the path when it likes."""
    store = open_store(f"memory://{tmp_path.name}", tmp_path / "cache", limit=250)
    kept = store.keep(blob(0))
    given = {"run_id": "run-1", "funnel": None, "progress": None, "project": None}
    with CoreWorkspace(store=store, **given) as ws:
        path = ws.locate(kept)
        for number in range(1, 6):
            store.keep(blob(number))
        assert path.read_bytes() == blob(0).read_bytes()
    for number in range(6, 9):
        store.keep(blob(number))
    assert not path.exists()


@pytest.mark.parametrize(
    ("said", "size"), [("20_000", 20_000), ('"500MB"', 5 * 10**8), ('"1.5 GB"', 15 * 10**8)]
)
def test_the_bound_is_a_key_of_the_stack(tmp_path, said, size):
    """In bytes, or with a unit; it is shown with what else the stack says."""
    path = tmp_path / "interlock.toml"
    path.write_text(f'[project]\nname = "small"\n[stack.dev]\nartifacts_cache = {said}\n')
    stack = load_stack(tmp_path)
    assert stack.artifacts_cache == size
    shown = {row.key: row.value for row in describe(stack)}
    assert shown["stack.dev.artifacts_cache"] == str(size)


@pytest.mark.parametrize("said", ["0", "-1", "1.5", '"20"', '"20 gigabytes"', "true"])
def test_another_bound_is_refused(tmp_path, said):
    """With what to write."""
    path = tmp_path / "interlock.toml"
    path.write_text(f'[project]\nname = "small"\n[stack.dev]\nartifacts_cache = {said}\n')
    with pytest.raises(StackError, match='a number of bytes above 0, or a text as "500MB"'):
        load_stack(tmp_path)
