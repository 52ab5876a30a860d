"""`interlock plugins check`: an installed plugin, held against its promises without a test file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from installed import distribution

from interlock.plugins.discover import installed
from interlock_hookspecs import Facts, Secret, plugin, project_root, setting
from interlock_hookspecs.conformance.checking import find
from interlock_hookspecs.conformance.making import CannotCheckError, maker
from interlock_hookspecs.conformance.suite import implemented, missing

TEMPLATES = Path(__file__).parents[2] / "core/interlock/template"
FORGETFUL = """
import attrs
from interlock_govern_acme import AcmeGate
from interlock_hookspecs import hookimpl, plugin, setting


@plugin(contract="1.0")
class Forgetful(AcmeGate):
    tenant: str = setting(doc="whose gate it is")
    keys: object = setting(None, doc="where keys are")

    @hookimpl
    def review(self, dossier):
        return super().review(dossier)[:1]


class Plain:
    @hookimpl
    def review(self, dossier):
        return []


@plugin(contract="1.0")
class Both(AcmeGate):
    @hookimpl
    def check_data(self, rows):
        return []

    @hookimpl
    def import_candidate(self, source, task, ws):
        return None
"""
NAMED = """
import pytest
from interlock_govern_forgetful import Forgetful
from interlock_hookspecs.conformance.govern import GovernSuite

@pytest.fixture
def server():
    return "a server"

class ForgetfulSuite(GovernSuite):
    @pytest.fixture
    def plugin(self, server):
        return Forgetful(tenant=server)

class TestForgetful(ForgetfulSuite):
    cannot = {
        "test_every_bound_gets_a_verdict": "Acme judges one bound at a time",
        "test_the_order_of_checks_makes_no_difference": "Acme believes that it does",
        "test_it_speaks": "Acme is said to be silent",
    }

class ToldSuite(GovernSuite):
    cannot = {"test_every_bound_gets_a_verdict": "Acme judges one bound at a time"}
"""


ENDING = """
import sys
import attrs
from interlock_hookspecs import Deprecation, govern
from interlock_hookspecs.conformance.__main__ import main
from interlock_hookspecs.rules import spec_of

ends = Deprecation(since="1.0", removed="2.0", instead="implement judge")
for function, change in (
    (govern.review, {"deprecated": ends}),
    (govern.describe_model, {"arguments": {"dossier": ends}}),
):
    function._interlock_spec = attrs.evolve(spec_of(function), **change)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of installed plugins: one that is broken, one that names its suite, one gone."""
    folder = tmp_path_factory.mktemp("site")
    distribution(
        folder,
        "acme",
        "1.2.3",
        "[interlock.govern]\nforgetful = interlock_govern_forgetful:Forgetful\n"
        "named = interlock_govern_forgetful:Forgetful\ngone = no_such_module:Gone\n"
        "other = interlock_govern_forgetful:Forgetful\n"
        "told = interlock_govern_forgetful:Forgetful\n"
        "both = interlock_govern_forgetful:Both\n"
        "plain = interlock_govern_forgetful:Plain\n"
        "[interlock.validate]\ncounts = interlock_govern_forgetful:Both\n"
        "[interlock.conformance]\ngovern-named = suite_of_acme:TestForgetful\n"
        "govern-other = suite_of_acme:ForgetfulSuite\n"
        "govern-told = suite_of_acme:ToldSuite\n",
    )
    (folder / "interlock_govern_forgetful.py").write_text(FORGETFUL)
    (folder / "suite_of_acme.py").write_text(NAMED)
    # An editable install lies among the tests of its repository.
    (folder / "conftest.py").write_text("raise AssertionError('a conftest.py is read')\n")
    return folder


@pytest.fixture
def check(site, tmp_path):
    """Check a plugin as an author without the core does."""

    def typed(*words, how=("-W", "error", "-m", "interlock_hookspecs.conformance"), **environ):
        path = os.pathsep.join([str(site), str(TEMPLATES / "govern-acme")])
        return subprocess.run(
            [sys.executable, *how, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, **environ},
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )

    return typed


def test_a_broken_promise_is_said_and_ends_with_1(check):
    """The table has each promise with its status, and below it what broke it."""
    said = check("govern-forgetful", "--set", "tenant=a", "--only", "every_bound_gets_a_verdict",
                 "--only", "test_it_speaks")  # fmt: skip
    assert (said.returncode, said.stderr) == (1, "")
    lines = [line.strip() for line in said.stdout.splitlines()]
    assert lines[0] == "govern-forgetful 1.2.3, installed by acme"
    broken = lines.index("broken     A plugin that judges bounds judges each of them.")
    assert lines[broken + 1].endswith("is bounded and gets no verdict")
    assert lines[-1] == "1 held, 1 broken"


def test_a_named_suite_brings_its_fixtures_and_what_it_cannot(check):
    """A distribution's own suite makes the plugin; what it declares shows as declared.

    A promise that is declared broken and held all the same is broken.
    """
    said = check("govern-named", "--json")
    assert said.returncode == 1, said.stderr
    found = json.loads(said.stdout)
    assert (found["plugin"], found["version"]) == ("govern-named", "1.2.3")
    fared = {row["test"]: (row["status"], row["why"]) for row in found["promises"]}
    why = "Acme judges one bound at a time"
    assert fared["test_every_bound_gets_a_verdict"] == ("declared", why)
    assert fared["test_it_speaks"] == ("broken", "declared as broken, and it holds")
    assert fared["test_a_card_opens_anywhere"][0] == "unclaimed"
    assert found["counts"]["held"] == [status for status, _ in fared.values()].count("held")


def test_a_named_suite_may_have_any_name(check):
    """pytest looks for `Test...`; what the entry point names is asked all the same."""
    said = check("govern-other", "--only", "test_it_speaks", "--json")
    assert said.returncode == 0, said.stderr
    (row,) = json.loads(said.stdout)["promises"]
    assert row["status"] == "held"


def test_what_ends_with_a_contract_is_told(check):
    """Above the promises, and to programs; a promise is not broken by it."""
    words = ["govern-forgetful", "--set", "tenant=a", "--only", "it_keeps_to_the_form"]
    said = check(*words, how=("-c", ENDING))
    assert said.returncode == 0, said.stderr
    told = [line for line in said.stdout.splitlines() if line.startswith("! ")]
    ends = "deprecated since contract 1.0, removed in 2.0: implement judge"
    assert told == [f"! argument 'dossier' of hook describe_model is {ends}",
                    f"! hook review is {ends}"]  # fmt: skip
    found = json.loads(check(*words, "--json", how=("-c", ENDING)).stdout)
    assert found["deprecated"] == [line.removeprefix("! ") for line in told]


def test_a_named_suite_that_makes_no_plugin_gets_what_the_settings_make(check):
    """What only the author can say is said there; `--set` reaches the plugin all the same."""
    words = ["--only", "every_bound_gets_a_verdict", "--only", "it_keeps_to_the_form", "--json"]
    said = check("govern-told", "--set", "tenant=a", *words)
    assert said.returncode == 0, said.stderr
    fared = {row["test"]: row["status"] for row in json.loads(said.stdout)["promises"]}
    assert fared == {
        "test_every_bound_gets_a_verdict": "declared",
        "test_it_keeps_to_the_form": "held",
    }
    assert "--set tenant=...  whose gate it is" in check("govern-told").stderr


@pytest.mark.parametrize(
    ("name", "suites"),
    [("govern-both", ["govern", "validate"]), ("validate-counts", ["validate", "govern"])],
)
def test_a_plugin_of_several_roles_is_held_to_those_that_it_serves(check, name, suites):
    """Under each name to its role first; what it has of a role that it does not serve is told."""
    words = [name, "--only", "it_keeps_to_the_form"]
    said = check(*words, "--json")
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert [(row["suite"], row["status"]) for row in found["promises"]] == [
        (suite, "held") for suite in suites
    ]
    (line,) = found["untried"]
    assert line.startswith("import_candidate is held to no promise: ")
    assert line.endswith("the suite of the role train needs fit_candidate")
    assert f"! {line}" in check(*words).stdout.splitlines()


@pytest.mark.parametrize("name", installed())
def test_no_plugin_of_ours_is_asked_for_a_role_that_it_does_not_serve(name):
    """Every suite that it is held against begins with hooks that it has."""
    subject = find(name)
    assert subject.suites[0].role in {name.partition("-")[0], "events"}
    for suite in subject.suites:
        assert missing(suite.role, implemented(subject.cls)) == ()


def test_a_tracker_claims_what_it_delivers_and_what_happens_without_its_backend(check):
    """Only its distribution knows both; an endpoint cannot be read, and says so."""
    words = ["--only", "threads_lose_nothing", "--only", "a_backend_that_is_away_is_said", "--json"]
    for settings, delivery in (([], "held"), (["--set", "url=http://127.0.0.1:9"], "unclaimed")):
        said = check("track-openlineage", *settings, *words)
        assert said.returncode == 0, said.stderr
        fared = {row["test"]: row["status"] for row in json.loads(said.stdout)["promises"]}
        assert fared == {
            "test_threads_lose_nothing": delivery,
            "test_a_backend_that_is_away_is_said": "held",
        }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["govern-forgetfull"], 2, "did you mean 'govern-forgetful'?"),
        (["nothing"], 2, "no plugin 'nothing' is installed"),
        (["govern-forgetful"], 2, "--set tenant=...  whose gate it is"),
        (["govern-forgetful", "--set", "tennant=a"], 2, "did you mean 'tenant'?"),
        (["govern-forgetful", "--set", "tenant"], 2, "--set needs KEY=VALUE"),
        (["govern-forgetful", "--set", "tenant=${NO_SUCH}"], 2, "NO_SUCH, which is not set"),
        (["govern-forgetful", "--set", "min_purpose=hunter2"], 2, "expected int"),
        (["govern-forgetful", "--only", "it_speak"], 2, "did you mean 'test_it_speaks'?"),
        (["govern-named", "--set", "tenant=a"], 2, "is made by suite_of_acme:TestForgetful"),
        (["govern-gone"], 1, "No module named 'no_such_module'"),
        (["govern-plain"], 1, "it is no plugin: decorate the class with @plugin"),
    ],
)
def test_what_cannot_be_checked_is_said(check, words, code, said):
    """What is missing or misspelt is bad usage; no value is repeated. A broken import fails."""
    done = check(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_checks_in_an_interpreter_of_its_own(capfd):
    """`interlock plugins check` prints what the suites' own command does, with its exit code."""
    from interlock.cli.main import main

    words = ["plugins", "check", "registry-sql", "--only", "numbers_are_distinct", "--json"]
    assert main(words) == 0
    (row,) = json.loads(capfd.readouterr().out)["promises"]
    assert (row["suite"], row["status"]) == ("registry", "held")
    assert main(["plugins", "check", "registry-sqk"]) == 2
    assert "did you mean 'registry-sql'?" in capfd.readouterr().err


@plugin(contract="1.0")
class Everything:
    text: str = setting("", doc="a text")
    number: int | float = setting(0, doc="a number")
    share: float = setting(0.5, doc="a share")
    words: tuple[str, ...] = setting((), doc="words")
    facts: Facts = setting(Facts(), doc="facts")
    password: Secret[str] | None = setting(None, doc="a password")
    url: str | Secret[str] = setting("", doc="an address")
    place: Path = setting(doc="a folder that must be said")
    root: Path = project_root()


def test_settings_are_read_as_a_stack_file_has_them(tmp_path):
    """Values are TOML or text, by the setting's type; what the environment says is a secret."""
    said = ["text=12", "number=3", "share=1", 'words=["a"]', "facts={a = 1}", "place=here",
            "url=http://${HOST}/a", "password=${PASSWORD}"]  # fmt: skip
    environ = {"HOST": "example", "PASSWORD": "hunter2"}
    made = maker(Everything, said, here=Path("/srv"), environ=environ)(tmp_path)
    assert (made.text, made.number, made.share, made.words) == ("12", 3, 1.0, ("a",))
    assert (made.facts, made.place, made.root) == (Facts({"a": 1}), Path("/srv/here"), tmp_path)
    assert (made.url.reveal(), made.password.reveal()) == ("http://example/a", "hunter2")


def test_a_required_folder_is_made(tmp_path):
    """A path without a default is a new folder; a text that is no number is refused."""
    made = maker(Everything, [], here=tmp_path)(tmp_path)
    assert made.place == tmp_path / "place"
    assert made.place.is_dir()
    with pytest.raises(CannotCheckError, match="number does not fit: expected int or float"):
        maker(Everything, ["number=x"], here=tmp_path)
