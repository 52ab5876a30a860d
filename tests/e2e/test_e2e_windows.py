"""One row with a wrong time does not blind monitoring."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

pytestmark = pytest.mark.real_backend

LEAST = 20


@pytest.fixture
def served(project, rows, start, ask, until):
    """An endpoint whose requests carry the time of a row; gives what asks it for some."""
    import pyarrow.parquet as pq

    made = project()
    began = datetime.now(UTC) - timedelta(days=1)
    times = pa.array([began + timedelta(seconds=n) for n in range(rows.num_rows)])
    pq.write_table(rows.append_column("when", times), made.folder / "rows.parquet")
    made.edit('target = "y"', 'target = "y"\ntime = "when"')
    made("run", "--until", "deploy")
    sent = rows.drop_columns(["y"]).slice(0, LEAST)
    captures = made.folder / ".interlock" / "captures"

    def serve(*, at):
        files = len(list(captures.rglob("*.parquet")))
        times = [at.isoformat()] * LEAST
        assert ask(made.endpoint, sent.append_column("when", pa.array(times)))[0] == 200
        until(lambda: len(list(captures.rglob("*.parquet"))) > files)

    made.serve = serve
    return made


def test_a_row_from_the_future_is_left_for_later(served):
    """The next look begins where this one ended, not in eighty years; who wants it asks for it."""
    now = datetime.now(UTC)
    served.serve(at=now - timedelta(minutes=3))
    served.serve(at=now + timedelta(days=80 * 365))
    said = served("monitor", "--json", expect=None)
    assert "which is still to come: they are left for later (--to looks at them now)" in said.err
    assert [window["rows"] for window in served.listed("monitor")] == []
    served.serve(at=now - timedelta(minutes=1))
    assert [window["rows"] for window in served.listed("monitor", expect=None)] == [LEAST]
    far = served.listed("monitor", "--from", "2100-01-01", "--to", "2200-01-01", expect=None)
    assert [window["rows"] for window in far] == [LEAST]
    # Asked for, it moves no look that is not.
    served.serve(at=datetime.now(UTC))
    assert [window["rows"] for window in served.listed("monitor", expect=None)] == [LEAST]


@pytest.fixture
def yearly(project, rows, ask, until):
    """An endpoint whose requests carry the year of a row; gives what asks it for some."""
    import pyarrow.parquet as pq

    made = project()
    years = pa.array([2015 + n % 3 for n in range(rows.num_rows)])
    pq.write_table(rows.append_column("year", years), made.folder / "rows.parquet")
    made.edit('target = "y"', 'target = "y"\ntime = "year"')
    made("run", "--until", "deploy")
    sent = rows.drop_columns(["y"]).slice(0, LEAST)
    captures = made.folder / ".interlock" / "captures"

    def serve(year):
        files = len(list(captures.rglob("*.parquet")))
        asked = sent.append_column("year", pa.array([year] * LEAST))
        assert ask(made.endpoint, asked)[0] == 200
        until(lambda: len(list(captures.rglob("*.parquet"))) > files)

    made.serve = serve
    return made


def test_a_year_that_is_far_ahead_is_left_out(yearly):
    """What comes after it is looked at all the same; who wants it asks for it."""
    yearly.serve(2018)
    yearly.serve(99_999)
    said = yearly("monitor", "--json", expect=None)
    assert "rows carry periods up to 99999, more than ten years ahead: they are left" in said.err
    (window,) = json.loads(said.out)
    assert (window["start"], window["end"], window["rows"]) == (2018, 2019, LEAST)
    far = yearly.listed("monitor", "--from", "90000", "--to", "100000", expect=None)
    assert [window["rows"] for window in far] == [LEAST]
    # Asked for, it moves no look that is not.
    yearly.serve(2019)
    (window,) = yearly.listed("monitor", expect=None)
    assert (window["start"], window["end"], window["rows"]) == (2019, 2020, LEAST)


def test_rows_of_a_period_that_was_looked_at_are_told(yearly):
    """No later look has them, so that nobody takes silence for quiet."""
    yearly.serve(2018)
    assert "came since" not in yearly("monitor", expect=None).err
    yearly.serve(2018)
    said = yearly("monitor", expect=None)
    assert "No traffic since the last look" in said.out
    assert (
        f"{LEAST} rows came since the last look with periods before 2019, where it ended: "
        "--from 2018 looks at them"
    ) in said.err
    assert [window["rows"] for window in yearly.listed("monitor", "--from", "2018", expect=None)]
    assert "came since" not in yearly("monitor", expect=None).err
