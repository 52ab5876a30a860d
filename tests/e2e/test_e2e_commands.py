"""Every command as a person and as a program uses it: exit codes, listings, ids, words."""

import ast
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest

import interlock as core
from interlock.cli.main import COMMANDS, cli, main
from interlock.plugins.discover import installed

EXIT_CODES = {
    0: (["runs"], ""),
    1: (["run", "--set", "train-sklearn.parameters.max_depth=-1"], "hook fit_candidate"),
    2: (["run", "--untill", "data"], "--until"),
    3: (["run", "--set", "train-sklearn.parameters.max_depth=1"], "the gates refuse this model"),
    4: (["run", "--set", "task.threshold=0.6"], "this model waits for a person"),
}
STRICT = '"metrics.roc_auc" = ">= 0.9"'


def walk(command, words=()):
    """Each command below a group, with the words that name it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*words, name))


def copied(source, target):
    """Copy a database over another, open or not."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.mark.parametrize("code", EXIT_CODES)
def test_a_command_ends_with_the_code_that_the_help_tells(project, code):
    """0 done, 1 failed, 2 bad usage, 3 refused, 4 waiting; 5 is shown where a model is watched."""
    made = project(policy="approvals = 1", bounds=STRICT)
    words, sentence = EXIT_CODES[code]
    said = made(*words, expect=code)
    assert sentence in said.err
    assert f"{code} " in made("--help").out


@pytest.mark.parametrize("words", [words for words, _ in walk(cli)], ids=" ".join)
def test_every_command_has_help_in_sentences(words, capsys):
    """--help says what the command does, and what each option is for."""
    assert main([*words, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Usage: {' '.join(['interlock', *words])}")
    (command,) = [command for found, command in walk(cli) if found == words]
    assert command.help
    undocumented = [
        option.name
        for option in command.params
        if isinstance(option, click.Option)
        and not (option.help or isinstance(option.type, click.Choice))
    ]
    assert undocumented == []


def test_the_help_of_a_command_is_the_line_in_the_list():
    """What --help of all says of a command is no surprise: each line ends its sentence."""
    assert all(text.endswith(".") and len(text) < 65 for _, text in COMMANDS.values())


@pytest.mark.parametrize("words", [["rnu"], ["stak", "check"], ["undeply"]])
def test_an_unknown_command_names_the_nearest(words, capsys):
    """A slip of the finger costs one more line, not a look at the manual."""
    assert main(words) == 2
    assert re.search(r"No such command '\w+'. Did you mean '\w+'\?", capsys.readouterr().err)


def test_the_version_is_the_installed_one(capsys):
    """--version says what is installed."""
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"interlock {version('interlock-core')}\n"


def test_an_error_is_two_lines_and_its_traceback_behind_debug(project):
    """--debug may stand anywhere in the line."""
    made = project()
    plain = made("show", "run-00000000", expect=1)
    assert "Traceback" not in plain.err
    assert len(plain.err.splitlines()) == 2
    for words in (["--debug", "show", "run-00000000"], ["show", "run-00000000", "--debug"]):
        assert "Traceback (most recent call last)" in made(*words, expect=1).err


def test_a_run_that_failed_says_how_it_goes_on(project):
    """Its id stands in no other line: nobody should have to look for it in a listing."""
    made = project()
    said = made("run", "--set", "train-sklearn.parameters.max_depth=-1", expect=1)
    again = f"next: mend it, then interlock run --resume run-{made.run['id'][-8:]}"
    assert said.err.splitlines()[-1] == again


def test_a_file_that_cannot_be_made_is_told_in_words(project):
    """Python's name of the error and its number are for whoever asks with --debug."""
    said = project()("init", "rows.parquet/below", expect=1)
    assert said.err.splitlines()[0] == "error: rows.parquet/below: Not a directory"
    assert "Errno" not in said.err


@pytest.mark.real_backend
def test_every_listing_prints_one_array_for_programs(lived):
    """--json prints one line that parses, each row whole."""
    lived("deploy", lived.listed("runs")[1]["id"])
    lived("labels", "add", "rows.parquet")
    registries = [name for name in installed() if name.startswith("registry-")]
    counts = {
        ("runs",): 2,
        ("models",): 2,
        ("models", "--from-registry"): 2,
        ("deployments",): 1,
        ("deployments", "--history"): 1,
        ("labels", "list"): 1,
        ("plugins", "list", "--role", "registry"): len(registries),
        ("audit", "head"): 1,
        ("monitor",): 0,
    }
    for words, count in counts.items():
        printed = lived(*words, "--json").out
        assert printed.count("\n") == 1
        listed = json.loads(printed)
        assert isinstance(listed, list), words
        assert len(listed) == count, words
    for words in (("stack", "show"), ("audit", "log"), ("review", "--explain")):
        assert isinstance(lived.listed(*words), list)
        assert lived.listed(*words)


def test_one_thing_is_printed_as_one_object_for_programs(lived):
    """run, show, status and audit verify give an object."""
    run = lived.run["id"]
    assert lived.listed("show", run)["id"] == run
    assert lived.listed("status")["latest_run"]["id"] == run
    assert lived.listed("audit", "verify")["ok"] is True
    ended = lived.listed("run", "--until", "data")
    assert (ended["run"], ended["last"]) == (lived.run["id"], "data")


def test_listings_are_filtered(lived):
    """By status, person, model, time and stack; what matches nothing is an empty array."""
    refused, done = lived.listed("runs")
    filters = {
        ("--status", "refused"): [refused],
        ("--status", "waiting"): [],
        ("--actor", "ana"): [done],
        ("--model", done["model"]): [done],
        ("--since", "2100-01-01"): [],
        ("--stack", "prod"): [],
        ("--stack", "prod", "--every-stack"): [refused, done],
        ("--before", refused["id"]): [done],
        ("--limit", "1"): [refused],
    }
    for words, rows in filters.items():
        assert lived.listed("runs", *words) == rows, words
    versions = lived.listed("models", "--run", done["id"])
    assert [version["model"] for version in versions] == [done["model"]]
    assert lived.listed("models", "--model", done["model"]) == versions
    events = lived.listed("audit", "log", "--run", done["id"], "--limit", 100)
    assert {event["run"] for event in events} == {done["id"]}
    after = lived.listed("audit", "log", "--after", events[-1]["sequence"], "--limit", 1)
    assert after[0]["sequence"] == events[-1]["sequence"] + 1


def test_a_listing_that_finds_nothing_tells_it_from_there_being_nothing(lived):
    """What to type next is said where a project is new; a kind of event has the nearest named."""
    assert lived("runs", "--actor", "nobody").out == "No such runs.\n"
    assert lived("runs", "--stack", "prod").out == "No runs. next: interlock run --stack prod\n"
    assert lived("deployments", "--status", "failed").out == "No deployment is failed.\n"
    wrong = "No event here is of the kind 'run.startet'; did you mean 'run.started'?\n"
    assert lived("audit", "log", "--kind", "run.startet").out == wrong
    assert lived.listed("audit", "log", "--kind", "run.startet") == []
    kept = ("audit", "log", "--kind", "run.started", "--after", "9999")
    assert lived(*kept).out == "No such events.\n"


def test_listings_come_in_pages(lived):
    """A full page says how to turn it; the pages together are the whole, each row once."""
    for _ in range(3):
        lived("run", "--until", "data")
    whole = [run["id"] for run in lived.listed("runs")]
    said = lived("runs", "--limit", "2")
    assert f"next: interlock runs --before run-{whole[1][-8:]}" in said.err
    paged, more = [], []
    while page := lived.listed("runs", "--limit", "2", *more):
        paged += [run["id"] for run in page]
        more = ["--before", f"run-{paged[-1][-8:]}"]
    assert paged == whole
    assert lived("runs", "--limit", "0", expect=2).err


def test_an_id_may_be_short_and_a_digest_begun(lived):
    """What a listing prints is what a command takes."""
    run = lived.run
    shown = lived("runs").out
    short = f"run-{run['id'][-8:]}"
    assert short in shown
    assert lived.listed("show", short)["id"] == run["id"]
    digest = run["model"].removeprefix("sha256:")
    assert digest[:12] in shown
    assert lived.listed("show", digest[:12])["model"] == run["model"]
    for kind in ("release", "version"):
        (found, *_) = [event for event in lived.listed("audit", "log", "--limit", 100)
                       if event["subject"].startswith(kind)]  # fmt: skip
        assert lived.listed("show", found["subject"])["id"] == found["subject"]


def test_an_ambiguous_id_names_what_it_may_be(lived):
    """Two ids that end alike are both named, and none is taken."""
    run = lived.run["id"]
    twin = f"run-{'0' * 24}{run[-8:]}"
    payload = {"stack": "dev", "until": "data", "policy": {}}
    lived.session().ledger.append("small", "run.started", twin, payload, run=twin)
    said = lived("show", f"run-{run[-8:]}", expect=1)
    assert run in said.err
    assert twin in said.err
    assert "next: give the whole id" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "nothing"], "nothing here is named 'nothing'"),
        (["run", "--resume", "run-00000000"], "nothing here is named"),
        (["revoke", "{run}", "--reason", "x"], "is of runs, not a release"),
        (["run", "--stack", "prd"], "there is no stack 'prd'; did you mean 'prod'?"),
        (["run", "--file", "other.toml"], "no such stack file"),
        (["run", "--set", "task.sed=1"], "did you mean 'seed'?"),
        (["run", "--set", "train-sklearn"], "write --set key=value"),
        (["plugins", "list", "--role", "trane"], "there is no role 'trane'; did you mean 'train'?"),
        (
            ["stack", "check", "--set", "registry=sqll"],
            "--set: [stack.dev] registry = 'sqll': no such",
        ),
        (["plugins", "show", "sql"], "is installed; did you mean 'registry-sql'?"),
        (["plugins", "check", "registry-sq"], "is installed; did you mean 'registry-sql'?"),
        (["rollback"], "nothing is deployed at small"),
        (["serve"], "nothing is deployed at small"),
        (["deployments", "--start"], "nothing is deployed at small"),
        (["audit", "verify", "--key", "interlock.toml"], "--key goes with --checkpoint"),
        (["monitor", "--from", "yesterday"], "'yesterday': write a period (2018) or a time"),
        (["monitor", "--from", "3", "--to", "3"], "a window from 3 to 3 has nothing inside"),
        (["monitor", "--from", "2026-02-01", "--to", "2026-01-01"], "has nothing inside"),
        (["deployments", "--status", "live"], "'live' is not one of"),
        (["init", "."], "exists already"),
    ],
)
def test_a_mistake_is_told_in_words(lived, words, sentence):
    """What was found, and what to write instead."""
    given = [word.format(run=lived.run["id"]) for word in words]
    code = 1 if words[0] == "show" or "--resume" in words else 2
    assert sentence in lived(*given, expect=code).err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--resume", ""),
        ("runs", "--before", ""),
        ("models", "--run", ""),
        ("audit", "log", "--run", ""),
    ],
    ids=" ".join,
)
def test_an_empty_id_names_nothing(lived, words):
    """A script's unset variable begins no new run and lists no other rows than those asked for."""
    before = lived.listed("runs")
    assert "nothing here is named ''" in lived(*words, expect=1).err
    assert lived.listed("runs") == before


def test_outside_of_a_project_the_command_says_how_to_begin_one(start, tmp_path):
    """No stack file here or above."""
    said = start()("run", expect=2)
    assert f"interlock.toml: not found in {tmp_path}" in said.err
    assert "next: interlock init" in said.err


def test_what_a_person_reads(lived):
    """Tables have headings, errors a next step, status fits a screen."""
    assert re.search(r"run +status +stage +stack +actor +model", lived("runs").out)
    assert re.search(r"version +name +number +aliases", lived("models").out)
    status = lived("status").out
    assert "nothing is deployed" in status
    assert "refused by ben" in status
    shown = lived("show", lived.run["id"]).out
    assert re.search(r"stage +status +seconds", shown)
    assert re.search(r"judged +verdict +why", shown)
    origin = lived("stack", "show", "--origin").out
    assert re.search(r'task\.target +"y" +interlock\.toml:\d+', origin)
    assert "data-files" in lived("stack", "check").out
    json.loads(lived("stack", "schema").out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["help"], "No such command 'help'. Did you mean '--help'?"),
        (["version"], "No such command 'version'. Did you mean '--version'?"),
        (["--stack", "dev", "runs"], "stand behind it: interlock COMMAND OPTIONS"),
        (["labels", "lst"], "No such command 'lst'. Did you mean 'list'?"),
    ],
)
def test_words_in_the_wrong_place_are_told_the_right_one(words, said, capsys):
    """What people type first in another tool."""
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_help_is_plain_and_whole():
    """No mark-up of docstrings, and no line of a group that breaks off."""
    for words, command in walk(cli):
        text = command.get_help(click.Context(command, info_name=" ".join(words)))
        assert "``" not in text, words
        assert "..." not in text.partition("Commands:")[2], words


def test_every_hint_is_a_command_that_there_is():
    """What an error says to type can be typed."""
    known = {words for words, _ in walk(cli)}
    groups = {words[:1] for words in known if len(words) > 1}
    for path in Path(core.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for found in re.finditer(r"\binterlock ([a-z]+)(?: ([a-z]+))?", ast.unparse(node)):
                    words = found.groups() if found.groups()[:1] in groups else (found[1],)
                    assert tuple(filter(None, words)) in known, f"{path}: {found[0]}"


def test_a_checkpoint_proves_that_the_ledger_only_grew(lived):
    """Kept outside the database after each run; a ledger that lost its tail does not extend it."""
    database = lived.folder / ".interlock/ledger.db"
    copied(database, lived.folder / "old.db")
    lived("run", "--until", "data")
    (checkpoint,) = (lived.folder / ".interlock/checkpoints").iterdir()
    assert "extends a checkpoint" in lived("audit", "verify", "--checkpoint", checkpoint).out
    copied(lived.folder / "old.db", database)
    assert "consistent, not anchored" in lived("audit", "verify").out
    assert "✗" in lived("audit", "verify", "--checkpoint", checkpoint, expect=1).out
