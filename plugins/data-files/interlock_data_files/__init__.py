"""data-files: rows from Parquet, CSV and Arrow files, by path, glob, folder or fsspec address.

Which sources are ours is decided in `addresses`, how a file is read in `readers` and
`delimited`, what a column's type becomes in `columns`, how rows are fixed in `snapshot`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import Dataset, Secret, Task, hookimpl, plugin, reveal, setting

if TYPE_CHECKING:
    from interlock_data_files.reading import Reading
    from interlock_hookspecs import Workspace

FORMATS = ("parquet", "csv", "arrow")
Option = str | int | float | bool | Secret[str]


def _batch_size(_instance: object, _attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        msg = f"batch_rows is {value}: expected at least 1 row"
        raise ValueError(msg)


@plugin(contract="1.0")
class Files:
    """Reads files as rows, and fixes them as one Parquet artifact."""

    format: str = setting(
        "",
        doc="what the files are: parquet, csv or arrow; empty: by their endings and first bytes",
        validator=attrs.validators.in_(("", *FORMATS)),
    )
    delimiter: str = setting(
        "",
        doc="the character between the fields of a CSV; empty: a tab in .tsv, else a comma",
        validator=attrs.validators.max_len(1),
    )
    null_values: tuple[str, ...] = setting(
        ("",), doc='what a CSV writes for a null, for example ["", "NA"]; never inside quotes'
    )
    batch_rows: int = setting(
        65_536, doc="rows read at a time from Parquet and Arrow files", validator=_batch_size
    )
    storage_options: dict[str, Option] = setting(
        attrs.Factory(dict), doc="arguments of the fsspec driver, for example key and secret"
    )

    @hookimpl
    def load_dataset(self, source: str, task: Task) -> Dataset | None:
        """Describe the files behind a path, glob, folder or address; None for another's source."""
        from interlock_data_files.describe import describe

        return describe(source, task, self._reading())

    @hookimpl
    def snapshot_dataset(self, dataset: Dataset, ws: Workspace) -> Dataset | None:
        """Fix the described rows as one Parquet artifact; None for another plugin's dataset."""
        if dataset.format not in FORMATS or (dataset.maker and dataset.maker.word != "files"):
            return None
        from interlock_data_files.snapshot import snapshot

        return snapshot(dataset, ws, self._reading())

    def _reading(self) -> Reading:
        from interlock_data_files.reading import Reading

        return Reading(
            format=self.format,
            delimiter=self.delimiter,
            null_values=self.null_values,
            batch_rows=self.batch_rows,
            storage={name: reveal(value) for name, value in self.storage_options.items()},
        )
