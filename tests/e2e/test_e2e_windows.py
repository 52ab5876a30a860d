"""One row with a wrong time does not blind monitoring."""

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
