"""The promises of a plugin that reads data: what it describes, fixes and leaves alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest

from interlock_hookspecs import (
    InvalidInput,
    NotFound,
    PluginError,
    Task,
    fields_of,
    file_digest,
    folder_manifest,
    logical_type,
    table_digest,
)
from interlock_hookspecs.conformance.elsewhere import elsewhere
from interlock_hookspecs.conformance.rows import MARKER, stored_otherwise
from interlock_hookspecs.conformance.sources import (
    ENDINGS,
    described,
    fixed,
    hard_rows,
    held,
    identity,
    long_rows,
    rows_behind,
    source_rows,
    task_for,
    types_of,
    write_rows,
)
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.workspace import Killed, KilledWorkspace, LocalWorkspace

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "conformance-rows"
FOREIGN = ("nowhere:customers", "nowhere://host/rows", "/nowhere/rows.nowhere", "nowhere:")


class DataSuite(Suite):
    """What core relies on in a plugin that reads data.

    The rows are put into a file, of the first kind in `ENDINGS` that the plugin reads. A plugin
    that reads a warehouse or a service overrides `put`.

    Attributes:
        ending: of the files to put rows into; empty for whichever the plugin reads.
    """

    role = "data"
    ending: ClassVar[str] = ""

    def put(self, plugin: Any, rows: pa.Table, folder: Path, name: str) -> str:
        """Put rows where the plugin finds them, and give the source that names them.

        Args:
            plugin: which reads them.
            rows: to be read, in this order; what stood under the name goes.
            folder: of the test's own, for what is on disk.
            name: is part of the source, and names no other rows of the test.
        """
        for ending in (self.ending,) if self.ending else ENDINGS:
            path = folder / f"{name}{ending}"
            write_rows(rows, path)
            if ask(plugin, "load_dataset", source=str(path), task=task_for(str(path), rows)):
                return str(path)
            path.unlink()
        read = self.ending or ", ".join(ENDINGS)
        msg = f"the plugin reads no file of {read}: override `put`, and put the rows where it looks"
        raise AssertionError(msg)

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Describe and fix a source."""
        source = self.put(plugin, source_rows(), ws.scratch(), NAME)
        fixed(plugin, source, task_for(source, source_rows()), ws)

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Ask for a source that is not there."""
        source = self.put(plugin, source_rows(), ws.scratch(), NAME).replace(NAME, "gone")
        described(plugin, source, task_for(source, source_rows()))

    def test_a_source_is_described(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A source has its columns, in order and of their types; nothing is fixed or stamped."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        found = described(plugin, source, task_for(source, rows))
        assert found.source == source, "the source is not called what the task calls it"
        named = [(field.name, field.type) for field in found.fields]
        assert named == list(types_of(rows).items()), "columns, their order or types are others"
        fixed_already = (found.digest, found.artifact) != (None, None)
        assert not fixed_already, "a description has a digest or an artifact: nothing is fixed yet"
        assert found.rows in (None, rows.num_rows), f"{found.rows} rows are said, of {len(rows)}"
        assert found.maker is None, "a dataset says itself who made it: the stamp is core's"

    def test_anothers_source_is_left_alone(self, plugin: Any) -> None:
        """A source of no kind that the plugin reads is answered with None, and is no error."""
        for source in FOREIGN:
            try:
                found = ask(plugin, "load_dataset", source=source, task=Task(dataset=source))
            except (PluginError, OSError, ValueError) as error:
                msg = f"{source!r} is another's, and {type(error).__name__} is raised, not None"
                raise AssertionError(msg) from error
            assert found is None, f"{source!r} is another's, and is answered all the same"

    def test_anothers_dataset_is_left_alone(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A dataset of a format that is not the plugin's is answered with None."""
        source = self.put(plugin, source_rows(), ws.scratch(), NAME)
        found = described(plugin, source, task_for(source, source_rows()))
        other = attrs.evolve(found, format="nowhere")
        done = ask(plugin, "snapshot_dataset", dataset=other, ws=ws)
        assert done is None, "a dataset of another plugin's format is fixed"

    def test_a_missing_source_is_not_found(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A source of the plugin's kind with nothing behind it is NotFound, by name."""
        source = self.put(plugin, source_rows(), ws.scratch(), NAME)
        assert NAME in source, f"`put` gives a source in which the name {NAME} is not"
        gone = source.replace(NAME, "conformance-gone")
        with must_raise(NotFound, "nothing is behind a source") as caught:
            described(plugin, gone, task_for(gone, source_rows()))
        assert "conformance-gone" in str(caught.value), "the error does not name what is missing"

    def test_rows_are_fixed_as_they_are(self, plugin: Any, ws: LocalWorkspace) -> None:
        """The artifact holds exactly the rows, in order, under the digest of the rows."""
        self._fixed_as_put(plugin, "a snapshot", source_rows(), ws)

    def test_hard_rows_are_fixed_as_they_are(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Hostile names and texts, extreme numbers and times, and nulls come through unchanged."""
        for what, rows in hard_rows().items():
            self._fixed_as_put(plugin, what, rows, ws)

    def _fixed_as_put(self, plugin: Any, what: str, rows: pa.Table, ws: LocalWorkspace) -> None:
        source = self.put(plugin, rows, ws.scratch(), NAME)
        found = described(plugin, source, task_for(source, rows))
        done = ask(plugin, "snapshot_dataset", dataset=found, ws=ws)
        assert (done.source, done.format) == (found.source, found.format), (
            f"{what}: the source or the format is another than described"
        )
        kept = rows_behind(done, ws)
        assert kept.column_names == rows.column_names, f"{what}: the columns are others"
        for name in rows.column_names:
            one, two = rows.select([name]), kept.select([name])
            same = table_digest(one) == table_digest(two)
            assert same, f"{what}: the column {name!r} is another in the artifact"
        assert done.rows == rows.num_rows, f"{what}: {done.rows} rows are said, of {rows.num_rows}"
        assert done.digest == table_digest(kept), f"{what}: the digest is not that of the rows"
        assert done.fields == fields_of(kept), f"{what}: the fields are not those of the rows"
        for file in done.files:
            path = Path(file.path)
            if path.is_file():
                digest, size = file_digest(path), path.stat().st_size
                said = (file.digest, file.size) == (digest, size)
                assert said, f"{what}: {path.name} has another size or digest than is said"

    def test_how_rows_are_stored_makes_no_difference(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Equal rows have one digest and one artifact, in every storage and format it reads."""
        rows, folder = source_rows(), ws.scratch()
        source = self.put(plugin, rows, folder, NAME)
        once = identity(plugin, source, task_for(source, rows), ws.scratch())
        other = self.put(plugin, stored_otherwise(rows), folder, "stored-otherwise")
        sources = {"chunked and encoded": other}
        for ending in ENDINGS:
            path = folder / f"in-another-format{ending}"
            write_rows(rows, path)
            if ask(plugin, "load_dataset", source=str(path), task=task_for(str(path), rows)):
                sources[f"as {ending}"] = str(path)
        for how, found in sources.items():
            again = identity(plugin, found, task_for(found, rows), ws.scratch())
            assert again[0] == once[0], f"{how}, equal rows have another digest"
            assert again[1] == once[1], f"{how}, equal rows are another artifact"

    def test_other_rows_have_another_digest(self, plugin: Any, ws: LocalWorkspace) -> None:
        """The order of rows and columns, a value, a null and a type each make a difference."""
        import pyarrow as pa

        rows = source_rows()
        name = rows.column_names.index("city")
        filled = rows.set_column(name, "city", rows["city"].fill_null(""))
        x = rows.set_column(1, "x", rows["x"].cast(pa.string()))
        tables = {
            "the rows": rows,
            "the rows in another order": rows.take(list(range(len(rows)))[::-1]),
            "the columns in another order": rows.select(rows.column_names[::-1]),
            "empty texts for nulls": filled,
            "numbers as text": x,
            "a row less": rows.slice(1),
        }
        seen: dict[object, str] = {}
        for what, table in tables.items():
            source = self.put(plugin, table, ws.scratch(), NAME)
            for digest in identity(plugin, source, task_for(source, table), ws.scratch()):
                assert digest not in seen, f"{what} and {seen.get(digest)} have one digest"
                seen[digest] = what

    def test_a_snapshot_taken_again_is_the_same(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Fixed again, from the first description or a new one, the record is the same."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        found = described(plugin, source, task_for(source, rows))
        once = ask(plugin, "snapshot_dataset", dataset=found, ws=ws)
        for maker in (plugin, another(plugin)):
            again = ask(maker, "snapshot_dataset", dataset=found, ws=ws)
            assert again == once, "fixed again, a dataset is another record"
        anew = fixed(another(plugin), source, task_for(source, rows), ws)
        assert anew == once, "described and fixed again, a source is another record"

    def test_a_snapshot_is_the_same_in_every_process(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Two processes at once, with hash seeds of their own, give the digests given here."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        task = task_for(source, rows)
        once = identity(plugin, source, task, ws.scratch())
        calls = [(identity, (plugin, source, task, ws.scratch())) for _ in range(2)]
        for again in elsewhere(calls):
            assert again == once, "in another process, the rows have other digests"

    def test_many_read_at_once(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Sources that are described and fixed at once, by several threads, stay apart."""
        tables = [source_rows(200 + seed, seed) for seed in range(4)] * 2
        sources = [
            self.put(plugin, table, ws.scratch(), f"{NAME}-{len(table)}") for table in tables
        ]
        acts = [
            partial(identity, plugin, source, task_for(source, table), ws.scratch())
            for source, table in zip(sources, tables, strict=True)
        ]
        for table, (digest, _) in zip(tables, at_once(acts), strict=True):
            assert digest == table_digest(table), "read at once, a source has another's rows"

    def test_a_source_that_changed_is_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Rows that were replaced, or columns that went, since the description are InvalidInput."""
        rows = source_rows()
        changed = {
            "a row less": rows.slice(1),
            "a column less": rows.drop_columns(["city"]),
            "other rows": source_rows(len(rows) + 7, seed=1),
        }
        for what, table in changed.items():
            folder = ws.scratch()
            source = self.put(plugin, rows, folder, NAME)
            found = described(plugin, source, task_for(source, rows))
            self.put(plugin, table, folder, NAME)
            with must_raise(InvalidInput, f"a source with {what} is fixed as it was described"):
                ask(plugin, "snapshot_dataset", dataset=found, ws=ws)

    def test_no_rows_are_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A source with columns and no row, or with nothing in it, is InvalidInput."""
        none = source_rows().slice(0, 0)
        with must_raise(InvalidInput, "a source without rows is a dataset"):
            source = self.put(plugin, none, ws.scratch(), NAME)
            fixed(plugin, source, task_for(source, none), ws)

    def test_damaged_rows_are_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A file that is no rows, or breaks off, is InvalidInput, and none of it is repeated."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        path, task = Path(source), task_for(source, rows)
        if not path.is_file():
            pytest.skip("optional: a source that is no file is not damaged here")
        whole = path.read_bytes()
        spoilt = {
            "bytes that are no rows": b"\x80\xff" + MARKER.encode() * 50,
            "text that is no rows": f"{{{MARKER},\n".encode() * 50,
            "an empty file": b"",
            "a file that breaks off": whole[: whole.rfind(MARKER.encode()) + 5],
        }
        for what, data in spoilt.items():
            path.write_bytes(data)
            with must_raise(InvalidInput, f"{what} is read") as caught:
                fixed(plugin, source, task, ws)
            assert MARKER not in str(caught.value), f"{what}: the error repeats what the file says"
            assert "\n" not in str(caught.value).strip(), f"{what}: the error is many lines"

    def test_a_type_of_the_task_holds(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A type that ``[task.types]`` states is the column's, or refused: never ignored."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        for kind in ("double", "no such type"):
            types = {**types_of(rows), "y": kind}
            try:
                found = fixed(plugin, source, task_for(source, rows, types=types), ws)
            except InvalidInput:
                continue
            except PluginError as error:
                msg = f"the type {kind!r} is refused by {type(error).__name__}, not InvalidInput"
                raise AssertionError(msg) from error
            said = {field.name: field.type for field in found.fields}["y"]
            assert said == kind, f"a column that the task says is {kind!r} is read as {said}"

    def test_a_time_without_a_zone_is_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A naive time is no time column: InvalidInput by name. Another column may hold one."""
        import pyarrow as pa

        rows = source_rows()
        naive = rows["at"].cast(pa.timestamp("us"))
        rows = rows.set_column(rows.column_names.index("at"), "at", naive)
        source = self.put(plugin, rows, ws.scratch(), NAME)
        kept = rows_behind(fixed(plugin, source, task_for(source, rows), ws), ws)
        assert logical_type(kept["at"].type) == "timestamp[us]", "a naive time was given a zone"
        with must_raise(InvalidInput, "a time column has no zone") as caught:
            fixed(plugin, source, task_for(source, rows, time="at"), ws)
        assert "at" in str(caught.value), "the error does not name the column"

    def test_a_column_of_the_task_may_be_missing(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Labels and traffic lack columns of the task; whether they may is core's to say."""
        rows = source_rows().select(["id", "y"])
        source = self.put(plugin, rows, ws.scratch(), NAME)
        task = task_for(source, source_rows(), id="id", target="y", time="at", sensitive=("city",))
        found = fixed(plugin, source, task, ws)
        names = tuple(field.name for field in found.fields)
        assert names == ("id", "y"), f"rows of id and target have the columns {names}"

    def test_an_interrupted_snapshot_leaves_nothing(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Killed half-way, a snapshot leaves nothing, and the next is what it would have been."""
        rows = source_rows()
        source = self.put(plugin, rows, ws.scratch(), NAME)
        task = task_for(source, rows)
        before = folder_manifest(Path(source).parent) if Path(source).is_file() else ()
        for at in ("progress", "keep"):
            cut = KilledWorkspace(ws.scratch(), at=at)
            try:
                fixed(plugin, source, task, cut)
            except Killed:
                pass
            else:
                assert at != "keep", "a snapshot goes on after it was killed"
        done = identity(plugin, source, task, ws.scratch())[0]
        assert done == table_digest(rows), "after an interruption, the rows are others"
        if Path(source).is_file():
            left = folder_manifest(Path(source).parent) == before
            assert left, "reading leaves something beside the source, or changes it"

    def test_rows_pass_through_in_batches(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Three times the rows take hardly more memory: a source may be larger than there is."""
        calls, sizes = [], []
        for n in (80_000, 240_000):
            rows = long_rows(n)
            source = self.put(plugin, rows, ws.scratch(), NAME)
            sizes.append(rows.nbytes)
            task = task_for(source, rows.slice(0, 1))
            calls.append((held, (plugin, source, task, ws.scratch())))
        small, large = elsewhere(calls)
        more, added = (large - small) >> 20, (sizes[1] - sizes[0]) >> 20
        assert more < added / 2, f"{added} MB of rows more take {more} MB of memory more"
