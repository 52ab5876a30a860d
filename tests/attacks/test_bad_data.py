"""Rows and files that are not what they should be: a short error, a failed run, nothing made."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

REFUSED = 3


def with_column(rows, name, values):
    """The rows with another column, or with other values in one."""
    if name not in rows.column_names:
        return rows.append_column(name, values)
    return rows.set_column(rows.column_names.index(name), name, values)


def told(project, *says, code):
    """A run ends with one short error that says all this; nothing was registered or served."""
    said = project("run", expect=code)
    errors = [line for line in said.err.splitlines() if not line.startswith(("✓", "!"))]
    assert 1 <= len(errors) <= 3, said.err
    assert "Traceback" not in said.err
    for text in says:
        assert text in errors[0]
    for table in ("models", "deployments"):
        assert project.listed(table) == []
    return said


def unrecorded(project, *says, code):
    """It ends before anything is written: no run, no artifact."""
    told(project, *says, code=code)
    assert project.listed("runs") == []
    assert [
        path for path in project.folder.glob(".interlock/artifacts/**/*") if path.is_file()
    ] == []


def recorded(project, *says, code):
    """What only reading all rows can tell, a run tells: it stands refused or failed, and why."""
    said = told(project, *says, code=code)
    run = project.run
    assert (run["status"], run["exit_code"]) == ("refused" if code == REFUSED else "failed", code)
    assert run["message"].splitlines()[0] in said.err
    project("audit", "verify")


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        (lambda rows: rows.slice(0, 0), ["no rows"], 1),
        (lambda rows: rows.drop_columns("y"), ["no column 'y'", "[task] target"], 2),
        (lambda rows: rows.drop_columns("id"), ["no column 'id'", "[task] id"], 2),
    ],
    ids=["empty", "no target", "no id"],
)
def test_a_dataset_without_what_the_task_names(small, rows, change, says, code):
    """Known before a row is read: the error names what is missing, and no run is left behind."""
    pq.write_table(change(rows), small.folder / "rows.parquet")
    unrecorded(small, *says, code=code)


@pytest.mark.parametrize("content", [None, b"these are no rows"], ids=["none", "no rows"])
def test_no_dataset(small, content):
    """The error names the path that was looked at."""
    (small.folder / "rows.parquet").unlink()
    if content is not None:
        (small.folder / "rows.parquet").write_bytes(content)
    unrecorded(small, "rows.parquet", code=1)


def test_times_without_a_zone(small, rows):
    """A time column of naive times is refused: there is no right guess."""
    times = pa.array([1_700_000_000_000_000 + n for n in range(rows.num_rows)], pa.timestamp("us"))
    pq.write_table(with_column(rows, "when", times), small.folder / "rows.parquet")
    small.edit('id = "id"', 'id = "id"\ntime = "when"')
    unrecorded(small, "'when'", code=1)


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        (
            lambda n: pa.array([f"{1 + day % 28:02}.{1 + day % 12:02}.2024" for day in range(n)]),
            "st",
        ),
        (lambda n: pa.array(range(n), pa.int32()).cast(pa.date32()), "date32"),
        (lambda n: pa.array(range(n), pa.float64()), "double"),
    ],
    ids=["text", "date", "number"],
)
def test_times_that_are_in_no_order_of_time(small, rows, times, kind):
    """Texts were cut in the order of letters; of dates no window could be looked at later."""
    column = times(rows.num_rows)
    pq.write_table(with_column(rows, "when", column), small.folder / "rows.parquet")
    small.edit('id = "id"', 'id = "id"\ntime = "when"\nsplit = "time"')
    unrecorded(small, f"the time column 'when' is {kind}", code=2)


def test_no_task(small):
    """Nothing says what to predict: told with what to write, before anything is."""
    text = (small.folder / "interlock.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[task]")
    (small.folder / "interlock.toml").write_text(head + "[" + rest.partition("\n[")[2])
    unrecorded(small, "there is no [task]", code=2)


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        (lambda rows: rows.select(["id", "y"]), ["feature"], 1),
        (
            lambda rows: with_column(rows, "y", pa.array([1] * rows.num_rows)),
            ["'y'", "class"],
            REFUSED,
        ),
        (
            lambda rows: with_column(
                rows, "y", pc.if_else(pc.equal(rows["y"], 1), 1.0, float("nan"))
            ),
            ["'y'"],
            REFUSED,
        ),
        (
            lambda rows: with_column(
                rows, "y", pc.if_else(pc.less(rows["id"], 9), None, rows["y"])
            ),
            ["'y'"],
            REFUSED,
        ),
        (
            lambda rows: with_column(
                rows, "x", pc.if_else(pc.less(rows["id"], 9), float("inf"), rows["x"])
            ),
            ["'x'"],
            1,
        ),
    ],
    ids=["no feature", "one class", "NaN labels", "null labels", "infinite"],
)
def test_rows_that_nothing_can_be_learnt_from(small, rows, change, says, code):
    """The error names what is wrong, and shows no value of a row."""
    pq.write_table(change(rows), small.folder / "rows.parquet")
    recorded(small, *says, code=code)


def test_a_column_that_changed_its_type(small, rows):
    """Told beside the champion's rows, and refused where the policy says so."""
    small("run")
    words = pc.if_else(pc.greater(rows["z"], 0), "much", "little")
    pq.write_table(with_column(rows, "z", words), small.folder / "rows.parquet")
    said = small("run", "--until", "validate")
    assert "metrics.type_changes: other types than before: z" in said.err
    small.edit('roc_auc" = ">= 0.6"', 'roc_auc" = ">= 0.6"\n"metrics.type_changes" = "<= 0"')
    served = small.endpoint["release"]
    said = small("run", expect=3)
    assert "metrics.type_changes" in said.err
    assert small.endpoint["release"] == served


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_artifact(small, damage):
    """Found by whoever reads it: the audit, a validation, a server that starts."""
    small("run")
    run = small.run
    digest = run["model"].removeprefix("sha256:")
    (blob,) = small.folder.glob(f".interlock/artifacts/sha256/*/{digest}")
    data = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(
        data[:-1] if damage == "truncated" else data[:99] + bytes([data[99] ^ 1]) + data[100:]
    )
    small("audit", "verify")
    found = small("audit", "verify", "--artifacts", expect=1)
    assert digest in found.out
    said = small("validate", run["id"], "--again", expect=1)
    assert "are others" in said.err
    small("undeploy")
    said = small("deploy", run["id"], expect=1)
    assert "are others" in said.err
    assert not list(small.servers())
    blob.write_bytes(data)
    small("deploy", run["id"])
    small("audit", "verify", "--artifacts")
