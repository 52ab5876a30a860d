"""Datasets: the rows of a source, described and then fixed."""

from __future__ import annotations

import attrs

from interlock_hookspecs.artifacts import Artifact, Maker
from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.tasks import Field
from interlock_hookspecs.values import Facts, all_of, as_facts, as_tuple, count, is_a, named


@attrs.frozen(kw_only=True)
class SourceFile:
    """One file that a dataset was read from.

    Attributes:
        path: as the source names it.
        size: bytes.
        digest: of the file's bytes, or None where the store did not let us read it twice.
    """

    path: str = attrs.field(validator=named)
    size: int = attrs.field(validator=count)
    digest: str | None = attrs.field(default=None, validator=digest_field)


@attrs.frozen(kw_only=True)
class Dataset:
    """Rows from a source: described after ``load_dataset``, fixed after ``snapshot_dataset``.

    Attributes:
        source: what the stack file or the command said.
        format: how it is stored, for example ``parquet``.
        files: what it was read from.
        fields: its columns.
        rows: how many, or None before they were counted.
        digest: the logical digest of the rows, once they are fixed.
        artifact: one Parquet file with exactly these rows, once they are fixed.
        facts: anything else worth keeping.

    >>> Dataset(source="a.csv", format="csv", fields=(Field(name="x", type="int64"),)).rows
    """

    source: str = attrs.field(validator=named)
    format: str = attrs.field(validator=named)
    files: tuple[SourceFile, ...] = attrs.field(default=(), converter=as_tuple)
    fields: tuple[Field, ...] = attrs.field(default=(), converter=as_tuple, validator=all_of(Field))
    rows: int | None = attrs.field(default=None, validator=count)
    digest: str | None = attrs.field(default=None, validator=digest_field)
    artifact: Artifact | None = attrs.field(default=None, validator=is_a((Artifact, type(None))))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))
