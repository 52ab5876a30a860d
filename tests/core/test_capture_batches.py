"""Captures of a batch: put together, on disk as if each had been put alone."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from interlock.serving.capture import CaptureWriter, read_captures
from interlock_hookspecs import CaptureBatch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("times", [(), (NOON - timedelta(seconds=1), NOON)])
def test_a_batch_is_read_back_as_its_captures(tmp_path, times):
    """Captures that were put together are on disk as if each had been put alone."""
    rows = pa.table({"x": [1.0, 2.0, 3.0]})
    predictions = pa.table({"score": [0.1, 0.2, 0.3], "prediction": [0, 0, 1]})
    batch = CaptureBatch(
        request_ids=("a", "b"),
        counts=(2, 1),
        at=NOON,
        release="release-1",
        rows=rows,
        predictions=predictions,
        times=times,
    )
    together, alone = CaptureWriter(tmp_path / "together"), CaptureWriter(tmp_path / "alone")
    assert together.put_batch(batch)
    assert all(alone.put(each) for each in batch.each())
    together.close()
    alone.close()
    found = read_captures(tmp_path / "together", None, None)
    assert found.equals(read_captures(tmp_path / "alone", None, None))
    assert found["request_id"].to_pylist() == ["a", "a", "b"]
    assert found["row"].to_pylist() == [0, 1, 0]
    first, second = times or (NOON, NOON)
    assert found["at"].to_pylist() == [first, first, second]


def test_a_batch_that_has_no_room_is_lost_whole(tmp_path):
    """Where the queue has no room for all captures of a batch, each of them counts as lost."""
    rows = pa.table({"x": [1.0, 2.0]})
    batch = CaptureBatch(
        request_ids=("a", "b"),
        counts=(1, 1),
        at=NOON,
        release="release-1",
        rows=rows,
        predictions=rows,
    )
    writer = CaptureWriter(tmp_path, queue_captures=1)
    assert not writer.put_batch(batch)
    writer.close()
    assert writer.lost == 2


def test_a_batch_with_times_of_others_is_refused():
    """It has a time for each request, or one for all."""
    rows = pa.table({"x": [1.0]})
    with pytest.raises(ValueError, match="times for others"):
        CaptureBatch(
            request_ids=("a",),
            counts=(1,),
            at=NOON,
            release="release-1",
            rows=rows,
            predictions=rows,
            times=(NOON, NOON),
        )


def test_a_batch_whose_counts_do_not_add_up_is_refused():
    """A batch says of each of its rows whose it is."""
    rows = pa.table({"x": [1.0, 2.0]})
    for ids, counts in ((("a",), (1,)), (("a",), (1, 1))):
        with pytest.raises(ValueError, match="do not add up"):
            CaptureBatch(
                request_ids=ids,
                counts=counts,
                at=NOON,
                release="release-1",
                rows=rows,
                predictions=rows,
            )
