"""The registry on a real git."""

import os
import subprocess
import threading

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_hookspecs import Conflict, InvalidInput, NotFound, Unavailable
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_hookspecs.conformance.versions import FACTS, model_of, register
from interlock_registry_git import GitRegistry
from interlock_registry_git.names import LONGEST, decode, encode
from interlock_registry_git.repository import NOWHERE, Refused, Repository

pytestmark = pytest.mark.real_backend


class TestGitRegistry(RegistrySuite):
    """Every promise of the role, required and optional."""

    @pytest.fixture
    def plugin(self, tmp_path):
        return GitRegistry(root=tmp_path)


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace")


@pytest.fixture
def registry(tmp_path):
    return GitRegistry(root=tmp_path)


@pytest.fixture
def git(tmp_path):
    """Git, as a person types it in the repository."""

    def typed(*words, folder=tmp_path / ".interlock/models.git", given=None):
        environ = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        done = subprocess.run(
            ["git", "-c", "user.name=ana", "-c", "user.email=ana@localhost", *words],
            cwd=folder, env=environ, input=given, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    return typed


def folder_model(ws, files):
    """A model that is a folder of files."""
    folder = ws.scratch() / "model"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return attrs.evolve(model_of("x", ws), artifact=ws.keep(folder))


def test_a_version_is_a_tag_that_a_clone_checks_out(registry, ws, git, tmp_path):
    """Who has git and not Interlock gets the model, its digest and its facts."""
    made = register(registry, "a", ws)
    registry.set_alias("employment", "champion", None, made.number)
    assert git("tag").split() == ["models/employment/v1"]
    assert made.model.digest in git("show", "--no-patch", "models/employment/v1")
    for ref in ("models/employment/v1", "aliases/employment/champion"):
        place = tmp_path / ref.replace("/", "-")
        git(
            "clone", "--quiet", "--branch", ref, "models.git", place, folder=tmp_path / ".interlock"
        )
        assert (place / "model/model.bin").read_text(encoding="utf-8") == "a"


def test_a_folder_comes_back_byte_for_byte(registry, ws):
    """Line ends, attributes and ignore files of the model's own change nothing."""
    files = {
        "MLmodel": b"a\r\nb\n",
        ".gitattributes": b"* text eol=lf export-ignore\n",
        ".gitignore": b"*\n",
        "data/weights.bin": bytes(range(256)) * 9,
        "data/ü b.txt": b"",
    }
    model = folder_model(ws, files)
    made = registry.register_version("n", "version-1", model, FACTS, ws)
    kept = registry.fetch_version(made, LocalWorkspace(ws.scratch()))
    assert (kept.digest, kept.folder) == (model.digest, True)


@pytest.mark.parametrize("files", [{".git/config": b"x"}, {"a\nb": b"x"}])
def test_a_file_that_git_does_not_keep_is_refused(registry, ws, files):
    """Nothing is registered by half."""
    with pytest.raises(InvalidInput):
        registry.register_version("n", "version-1", folder_model(ws, files), FACTS, ws)
    assert registry.list_versions("n", None, 9).items == ()


def test_other_bytes_are_not_handed_back(registry, ws, git):
    """A tag that somebody put elsewhere is caught by the digest of what it holds."""
    one, two = register(registry, "a", ws), register(registry, "b", ws)
    raw = git("cat-file", "tag", "models/employment/v1")
    stolen = raw.replace(git("rev-parse", "models/employment/v1^{}").strip(),
                         git("rev-parse", "models/employment/v2^{}").strip())  # fmt: skip
    forged = git("mktag", given=stolen).strip()
    git("update-ref", "refs/tags/models/employment/v1", forged)
    with pytest.raises(InvalidInput, match="holds other bytes than sha256"):
        registry.fetch_version(one, LocalWorkspace(ws.scratch()))
    assert registry.fetch_version(two, ws).digest == two.model.digest


def test_what_a_shell_says_of_another_repository_is_not_followed(registry, ws, tmp_path):
    """A run that a git hook started has GIT_DIR and GIT_INDEX_FILE set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
            patch.setenv(name, str(tmp_path / "elsewhere"))
        register(registry, "a", ws)
    assert not (tmp_path / "elsewhere").exists()
    assert len(registry.list_versions("employment", None, 9).items) == 1


def test_looking_makes_no_repository(registry, tmp_path):
    """What is not there has no versions, and stays not there."""
    assert registry.get_version("n", "1") is None
    assert registry.list_versions("n", None, 9).items == ()
    assert not (tmp_path / ".interlock").exists()


def test_many_make_one_repository(ws, tmp_path):
    """Of those who come first together, each finds the same one."""
    failed = []

    def first(word):
        try:
            register(GitRegistry(root=tmp_path), word, ws)
        except Exception as error:  # noqa: BLE001  (told below)
            failed.append(error)

    threads = [threading.Thread(target=first, args=(word,)) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(GitRegistry(root=tmp_path).list_versions("employment", None, 9).items) == 4
    assert [path.name for path in (tmp_path / ".interlock").iterdir()] == ["models.git"]


def test_what_is_no_repository_is_named(ws, tmp_path):
    """A file, or a folder with other things in it, is left as it is."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thing").touch()
    for place in ("file", "folder", "file/models.git"):
        with pytest.raises(Unavailable, match=r"models\.git|folder|file"):
            register(GitRegistry(root=tmp_path, repository=place), "a", ws)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "workspace"]


def test_a_deleted_version_leaves_its_number_and_no_bytes(registry, ws, git):
    """After git's own housekeeping the model is gone; its id registers nothing again."""
    made = register(registry, "secret weights", ws)
    registry.delete_version("employment", made.number)
    git("gc", "--quiet", "--prune=now")
    blobs = git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert "blob" not in blobs
    with pytest.raises(Conflict, match="was deleted"):
        register(registry, "secret weights", ws)
    again = register(registry, "secret weights", ws, key="version-2")
    assert (again.number, again.existing) == ("2", False)
    with pytest.raises(NotFound):
        registry.fetch_version(made, ws)


def test_no_alias_comes_to_a_version_while_it_is_deleted(registry, ws, monkeypatch):
    """Of the two, one is refused; never does an alias point at nothing."""
    made = register(registry, "a", ws)
    ended = []
    acts = [
        lambda: registry.delete_version("employment", made.number),
        lambda: registry.set_alias("employment", "champion", None, made.number),
    ]

    def tried(act):
        try:
            act()
        except (Conflict, NotFound) as error:
            ended.append(type(error))

    threads = [threading.Thread(target=tried, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 1
    there = registry.get_version("employment", "1") is not None
    assert there == (registry.get_version("employment", "@champion") is not None)


def test_an_alias_branch_that_moved_is_not_moved_again(registry, ws, tmp_path):
    """Git itself compares and swaps: what a caller saw is what it replaces."""
    register(registry, "a", ws)
    git = Repository(tmp_path / ".interlock/models.git")
    (tag,) = git.refs("refs/tags/")
    branch = "refs/heads/aliases/employment/champion"
    git.move(f"update {branch} {tag.target} {NOWHERE}")
    with pytest.raises(Refused, match="already exists"):
        git.move(f"update {branch} {tag.target} {NOWHERE}")


def test_a_repository_survives_packing(registry, ws, git):
    """`git gc` moves refs and objects into packs, and nothing else."""
    for word in "abc":
        register(registry, word, ws)
    registry.set_alias("employment", "champion", None, "2")
    before = registry.list_versions("employment", None, 9)
    git("gc", "--quiet")
    assert registry.list_versions("employment", None, 9) == before
    registry.set_alias("employment", "champion", "2", "3")
    assert register(registry, "d", ws).number == "4"
    assert registry.fetch_version(before.items[0], ws).digest == before.items[0].model.digest


@settings(deadline=None, max_examples=50)  # each starts a process
@given(st.text(min_size=1, max_size=16))
def test_any_name_is_one_part_of_a_ref(text):
    """Git takes it, no two names share one, and it is read back as it was."""
    part = encode(text, what="name")
    assert decode(part) == text
    done = subprocess.run(["git", "check-ref-format", f"refs/tags/{part}/v1"], check=False)
    assert done.returncode == 0


@given(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9))
def test_names_stay_apart_where_case_is_folded(one, other):
    """A file system that folds case keeps `A` and `a` as two refs."""
    parts = {encode(text, what="name").lower() for text in (one, other)}
    assert len(parts) == len({one, other})


@pytest.mark.parametrize("name", ["", "\ud800", "é" * LONGEST])
def test_a_name_that_is_no_ref_is_refused(registry, ws, name):
    """And asking for it finds nothing."""
    with pytest.raises(InvalidInput):
        registry.register_version(name, "version-1", model_of("a", ws), FACTS, ws)
    assert registry.get_version(name, "1") is None
