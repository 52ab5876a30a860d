"""The artifact store: what is kept is what comes back, or nothing is."""

import pytest

from interlock.artifacts import open_store
from interlock.errors import ArtifactError, Tampered
from interlock_hookspecs import folder_digest


@pytest.fixture(params=["folder", "memory", "local"])
def store(request, tmp_path):
    address = str(tmp_path / "store")
    if request.param == "memory":
        address = f"memory://{tmp_path.name}"
    if request.param == "local":
        address = f"local://{tmp_path}/store"
    return open_store(address, tmp_path / "cache")


def made(tmp_path, name, data):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_file_comes_back_as_it_was(store, tmp_path):
    """Bytes, size and name."""
    kept = store.keep(made(tmp_path, "a.bin", b"hello"))
    assert (kept.size, kept.name, store.read(kept)) == (5, "a.bin", b"hello")


def test_equal_bytes_have_one_digest_under_any_name(store, tmp_path):
    """The name is not part of the digest."""
    first = store.keep(made(tmp_path, "a.bin", b"x"))
    second = store.keep(made(tmp_path, "b.bin", b"x"), name="c")
    assert first.digest == second.digest
    assert second.name == "c"


def test_a_folder_comes_back_as_it_was(store, tmp_path):
    """Files in folders, an empty file, a name with spaces; the digest is the manifest's."""
    made(tmp_path, "f/one.txt", b"1")
    made(tmp_path, "f/inner/deep/two words.txt", b"")
    kept = store.keep(tmp_path / "f")
    assert kept.digest == folder_digest(tmp_path / "f")
    located = store.locate(kept)
    assert (located / "inner/deep/two words.txt").read_bytes() == b""
    assert folder_digest(located) == kept.digest


def test_what_was_never_kept_is_named(store, tmp_path):
    """An unknown digest is an error that says so."""
    kept = store.keep(made(tmp_path, "a", b"x"))
    store._blobs.remove(kept.digest.removeprefix("sha256:"))
    with pytest.raises(ArtifactError, match="has nothing under"):
        store.locate(kept)


def test_an_altered_byte_is_caught(tmp_path):
    """Other bytes under a digest are not handed out."""
    store = open_store(str(tmp_path / "store"), tmp_path / "cache")
    kept = store.keep(made(tmp_path, "a", b"hello"))
    path = store.locate(kept)
    path.chmod(0o644)
    path.write_bytes(b"hellO")
    with pytest.raises(Tampered, match="the bytes stored under"):
        store.locate(kept)


def test_a_store_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    """A path that is no folder is a clear error."""
    made(tmp_path, "store", b"a file, not a folder")
    store = open_store(str(tmp_path / "store"), tmp_path / "cache")
    with pytest.raises(ArtifactError, match="cannot be made"):
        store.keep(made(tmp_path, "a", b"x"))


def test_keeping_nothing_is_an_error(store, tmp_path):
    """A path that does not exist is named."""
    with pytest.raises(ArtifactError, match="no file or folder"):
        store.keep(tmp_path / "absent")


def test_an_altered_object_is_caught_and_not_remembered(tmp_path):
    """A store that hands back other bytes is caught; once it is mended, the right ones come."""
    address = f"local://{tmp_path}/store"
    kept = open_store(address, tmp_path / "cache").keep(made(tmp_path, "a", b"hello"))
    store = open_store(address, tmp_path / "another machine")
    (path,) = (path for path in (tmp_path / "store").rglob("*") if path.is_file())
    path.write_bytes(b"hellO")
    with pytest.raises(Tampered, match="are others"):
        store.locate(kept)
    path.write_bytes(b"hello")
    assert store.read(kept) == b"hello"


def test_a_check_afresh_reads_the_store_and_not_what_was_fetched(tmp_path):
    """The copy here is right and hides nothing; a file inside a folder counts too."""
    store = open_store(f"local://{tmp_path}/store", tmp_path / "cache")
    made(tmp_path, "f/a", b"hello")
    kept = store.keep(tmp_path / "f")
    store.check(kept, afresh=True)
    (path,) = (
        path
        for path in (tmp_path / "store").rglob("*")
        if path.is_file() and path.read_bytes() == b"hello"
    )
    path.write_bytes(b"hellO")
    store.check(kept)
    with pytest.raises(Tampered, match="f/a: the bytes stored under"):
        store.check(kept, afresh=True)
    path.unlink()
    with pytest.raises(ArtifactError, match="has nothing under"):
        store.check(kept, afresh=True)


def test_a_copy_here_that_went_bad_is_fetched_again(tmp_path):
    """The store has the right bytes, and they are what is handed out."""
    store = open_store(f"local://{tmp_path}/store", tmp_path / "cache")
    kept = store.keep(made(tmp_path, "a", b"hello"))
    copy = store.locate(kept)
    copy.chmod(0o644)
    copy.write_bytes(b"hellO")
    assert store.read(kept) == b"hello"


def test_an_upload_that_fails_leaves_nothing(tmp_path):
    """Half-way through, nothing is visible under the name; the error says what to do."""
    from fsspec.implementations.local import LocalFileSystem

    store = open_store(f"local://{tmp_path}/store", tmp_path / "cache")

    class Full(LocalFileSystem):
        def put_file(self, lpath, rpath, **_):
            with self.open(rpath, "wb") as target:
                target.write(b"he")
            raise OSError(28, "No space left on device")

    store._blobs._fs = Full()
    with pytest.raises(ArtifactError, match="No space left on device") as caught:
        store.keep(made(tmp_path, "a", b"hello"))
    assert "--resume" in caught.value.hint
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_store_that_is_away_is_said(tmp_path):
    """With what to do, and without the password of its address."""
    with pytest.raises(ArtifactError, match="ftp:// cannot be reached") as caught:
        open_store("ftp://ana:hunter2@127.0.0.1:1/store", tmp_path / "cache")
    assert "hunter2" not in str(caught.value)
