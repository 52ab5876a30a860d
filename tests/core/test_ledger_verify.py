"""Whatever is done to a ledger behind its back, a verification names it."""

import sqlite3
from contextlib import closing

import pytest

from interlock.ledger import Ledger, verify
from interlock.ledger.tables import PROJECTIONS, metadata
from interlock_hookspecs import Actor

TABLES = [name for name in metadata.tables if name != "meta"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, live, unguard):
    """A ledger with a row in every table, unguarded, and a connection to tamper with it."""
    path = tmp_path_factory.mktemp("whole") / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}", actor=Actor(subject="ana"))
    live(ledger, "employment", "a")
    live(ledger, "housing", "b")
    unguard(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield ledger, connection
    ledger.close()


@pytest.fixture
def tamper(whole):
    """Run statements against the file, and undo them when the test is done with what it saw."""
    ledger, connection = whole

    def run(*statements):
        connection.execute("BEGIN")
        for statement, *values in statements:
            connection.execute(statement, values)
        connection.execute("COMMIT")
        return verify(ledger)

    with closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        yield run
        copy.backup(connection)


def other(value):
    """Another value of the same type: one bit of a text or of bytes, a number out of the way."""
    if value is None:
        return "x"
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 64])
    return value[:-1] + chr(ord(value[-1]) ^ 64) if isinstance(value, str) else value + 1000


def rows(connection, table):
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    quoted = ", ".join(f'"{name}"' for name in names)
    found = connection.execute(f"SELECT rowid, {quoted} FROM {table}").fetchall()
    return names, found


def test_a_life_of_every_kind_verifies_and_reaches_every_table(whole):
    """Nothing is wrong with what was only appended, and no projection is left untried."""
    ledger, connection = whole
    report = verify(ledger)
    assert (report.problems, report.projects) == ((), ("employment", "housing"))
    assert report.sentence == "consistent, not anchored"
    assert all(rows(connection, table)[1] for table in PROJECTIONS)


@pytest.mark.parametrize("table", TABLES)
def test_one_changed_value_of_any_column_is_named(whole, table):
    """Each column of the first and the last row is changed by the least, seen, and put back."""
    ledger, connection = whole
    names, found = rows(connection, table)
    for rowid, *values in (found[0], found[-1]):
        for name, value in zip(names, values, strict=True):
            change = f'UPDATE {table} SET "{name}" = ? WHERE rowid = ?'
            connection.execute(change, (other(value), rowid))
            problems = verify(ledger).problems
            connection.execute(change, (value, rowid))
            assert any(problem.table == table for problem in problems), (name, problems)
    assert verify(ledger).ok


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_of_any_table_is_named(whole, tamper, table):
    """The last row goes."""
    rowid = rows(whole[1], table)[1][-1][0]
    report = tamper((f"DELETE FROM {table} WHERE rowid = ?", rowid))
    assert any(problem.table == table for problem in report.problems)


@pytest.mark.parametrize("table", TABLES)
def test_an_emptied_table_is_named(tamper, table):
    """All rows go."""
    assert any(problem.table == table for problem in tamper((f"DELETE FROM {table}",)).problems)


@pytest.mark.parametrize("table", TABLES)
def test_a_duplicated_row_of_any_table_is_named(whole, tamper, table):
    """The first row comes again, in a table that no longer has its keys."""
    rowid = rows(whole[1], table)[1][0][0]
    report = tamper(
        (f"CREATE TABLE loose AS SELECT * FROM {table}",),
        (f"INSERT INTO loose SELECT * FROM {table} WHERE rowid = ?", rowid),
        (f"DROP TABLE {table}",),
        (f"ALTER TABLE loose RENAME TO {table}",),
    )
    assert any(problem.table == table for problem in report.problems)


@pytest.mark.parametrize("table", sorted(PROJECTIONS))
def test_an_invented_row_of_any_projection_is_named(whole, tamper, table):
    """A copy of a row under a key of its own."""
    names, found = rows(whole[1], table)
    key = next(name for name in ("id", "ordinal", "alias") if name in names)
    values = dict(zip(names, found[0][1:], strict=True))
    values[key] = 77 if key == "ordinal" else "invented"
    quoted = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" for _ in names)
    report = tamper((f"INSERT INTO {table} ({quoted}) VALUES ({marks})", *values.values()))
    assert [problem.table for problem in report.problems] == [table]


@pytest.mark.parametrize("table", ["events", "payloads"])
def test_two_swapped_events_are_named(tamper, table):
    """The sequences of two rows are exchanged."""
    report = tamper(
        *(
            (
                f"UPDATE {table} SET sequence = ? WHERE sequence = ? AND project = 'housing'",
                new,
                old,
            )
            for new, old in ((-1, 4), (4, 5), (5, -1))
        )
    )
    first = report.problems[0]
    assert (first.project, first.sequence, first.table) == ("housing", 4, table)


def test_an_invented_event_is_named(tamper):
    """A copy of an event stands after the last."""
    columns = "id || 'x', kind, at, actor, subject, run, header, digest, signature, key_id"
    last = "SELECT max(sequence) FROM events WHERE project = 'housing'"
    invent = f"""INSERT INTO events SELECT project, sequence + 1, {columns} FROM events
        WHERE project = 'housing' AND sequence = ({last})"""
    report = tamper((invent,))
    assert report.problems[0].table == "events"


def test_rows_of_a_project_without_events_are_named(tamper):
    """A whole project is invented in a projection."""
    report = tamper(("UPDATE aliases SET project = 'invented' WHERE project = 'housing'",))
    assert {problem.project for problem in report.problems} == {"housing", "invented"}


def test_a_release_put_back_to_before_its_revocation_is_named(tamper):
    """The row is as it once rightly was, its sequence too."""
    put_back = """UPDATE releases SET revoked_at = NULL, revoked_by = NULL, revoked_reason = NULL,
        sequence = (SELECT sequence FROM events
                    WHERE kind = 'release.made' AND events.project = releases.project)
        WHERE project = 'housing'"""
    report = tamper((put_back,))
    first = report.problems[0]
    assert (first.project, first.table, first.column) == ("housing", "releases", "sequence")


def test_checks_put_back_to_an_earlier_measurement_are_named(tamper):
    """A row that a later measurement replaced stands there again, as it rightly was."""
    put_back = """INSERT INTO checks SELECT project, run, phase, 1, model, key, maker, value, low,
        high, n, version, body, 4 FROM checks WHERE project = 'housing'"""
    report = tamper((put_back,))
    assert {problem.table for problem in report.problems} == {"checks"}


@pytest.mark.parametrize("table", ["events", "runs", "heads"])
def test_bytes_that_are_no_text_are_named(tamper, table):
    """One byte of a text is no UTF-8 any more, which the driver cannot even read."""
    column = "digest" if table == "heads" else "project" if table == "runs" else "kind"
    report = tamper((f"UPDATE {table} SET {column} = CAST(x'ff41' AS TEXT) WHERE rowid = 1",))
    assert any(problem.table == table for problem in report.problems)


@pytest.mark.parametrize(
    ("table", "column", "kind"), [("events", "header", "TEXT"), ("runs", "status", "BLOB")]
)
def test_another_type_of_the_same_bytes_is_named(tamper, table, column, kind):
    """A header turned to text, a text turned to bytes."""
    report = tamper((f"UPDATE {table} SET {column} = CAST({column} AS {kind})",))
    assert any(problem.table == table for problem in report.problems)


def test_another_ledger_id_is_named(whole, tamper):
    """The chain is bound to the ledger that it was written in."""
    tamper(("UPDATE meta SET id = 'ledger-of-somebody-else'",))
    ledger = whole[0]
    with Ledger.open(f"sqlite:///{ledger.place}", actor=Actor(subject="ana")) as again:
        first = verify(again).problems[0]
    assert (first.table, first.sequence, first.column) == ("events", 1, "header")


def test_verification_stops_when_enough_is_wrong(tamper):
    """A person reads the first problems, not thousands."""
    report = tamper(("UPDATE events SET digest = 'x'",), ("DELETE FROM payloads",))
    assert (len(report.problems), report.more) == (20, True)


def test_a_damaged_file_is_reported_not_raised(tmp_path, live):
    """A page of zeros where a table was."""
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}", actor=Actor(subject="ana")) as ledger:
        live(ledger)
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'releases'")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page[0] - 1) * size)
        file.write(bytes(size))
    with Ledger.open(f"sqlite:///{path}", actor=Actor(subject="ana")) as ledger:
        assert "malformed" in str(verify(ledger).problems[0])


def test_progress_is_told(whole):
    """The last call says that all events are done."""
    said = []
    verify(whole[0], progress=lambda done, total: said.append((done, total)))
    assert said[-1][0] == said[-1][1] > 0
