"""What was captured of the requests of a load, held against what was answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from interlock.serving.capture_folder import listed

_PLACE = 1 << 40


@attrs.frozen
class Captured:
    """What the files of captures come to.

    Attributes:
        requests: how many were captured.
        twice: how many of them more than once.
        unasked: how many nobody asked.
        missing: answered and not captured, as pairs of connection and number.
        wrong: rows that hold another answer than that of their release.
    """

    requests: int
    twice: int
    unasked: int
    missing: list[tuple[int, int]]
    wrong: int


def captured(folder: Path, result: dict[str, Any], expected: dict[str, Any]) -> Captured:
    """Read every file of captures in the folders of stacks and endpoints under one.

    Args:
        folder: with the files.
        result: of `load_client.py`.
        expected: by release, the outputs of each row, in the order of their ids.
    """
    files = [path for place in sorted(folder.glob("*/*")) for _, path in listed(place)]
    columns = ["request_id", "id", "release", "score", "prediction"]
    table = pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
    found, times = np.unique(_keys(table["request_id"]), return_counts=True)
    asked = np.concatenate(
        [place * _PLACE + np.arange(count) for place, count in enumerate(result["asked"])]
    )
    silent = np.array([place * _PLACE + n for place, n, *_ in result["unanswered"]], np.int64)
    answered = np.setdiff1d(asked, silent)
    missing = np.setdiff1d(answered, found)
    return Captured(
        requests=len(found),
        twice=int((times > 1).sum()),
        unasked=len(np.setdiff1d(found, asked)),
        missing=[divmod(int(key), _PLACE) for key in missing],
        wrong=_wrong(table, expected),
    )


def _keys(ids: pa.ChunkedArray) -> Any:
    parts = pc.split_pattern(ids.combine_chunks(), "-")
    place, number = (pc.list_element(parts, at).cast(pa.int64()).to_numpy() for at in (0, 1))
    return place * _PLACE + number


def _wrong(table: pa.Table, expected: dict[str, Any]) -> int:
    """Answers of a release to a row that are not what its model says; each kind counts once."""
    kinds = table.group_by(["release", "id", "score", "prediction"]).aggregate([])
    return sum(
        {"score": kind["score"], "prediction": kind["prediction"]}
        != expected[kind["release"]][kind["id"]]
        for kind in kinds.to_pylist()
    )
