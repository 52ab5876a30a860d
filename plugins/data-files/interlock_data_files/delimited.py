"""CSV: types from the first block and from the task, rows in blocks.

Types are inferred from the first 4 MiB of each file; what comes later must fit them, and an
error names the column. A column whose numbers begin with a zero ("02139") is text: as a number
it would lose the zero. Fields may hold line breaks inside quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_data_files.columns import Types, agreed, converted, snapshot_types
from interlock_data_files.reading import Reading, reading
from interlock_hookspecs import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4 << 20
_LEADING_ZERO = r"^[+-]?0\d"
_WORDS_FOR_NULL = (
    *("na", "n/a", "#n/a", "n.a.", "<na>", "null", "nil", "nan", "none", "missing", "unknown"),
    *("-", "--", ".", "?"),
)
"""In small letters, and without the spaces around them."""
_COLUMN = re.compile(r"column #(\d+)")
_WIDTH = re.compile(r"Expected (\d+) columns, got (\d+)")


def describe_csv(source: Any, name: str, stated: Types, how: Reading) -> Types:
    """The columns of a CSV with stated types where there are any, else with inferred ones.

    Raises:
        InvalidInput: it is not UTF-8 text with a header, or a column's type cannot be told.
    """
    import pyarrow as pa
    import pyarrow.types as t

    with _parsing(name, []), _text(source, name) as stream:
        head = stream.read(BLOCK + 1)
        header = _header(head, name, how)
    with _parsing(name, header, stated):
        types = snapshot_types(_first(head, _options(name, how, stated))[0], name)
    if any(t.is_binary(kind) for kind in types.values()):
        raise InvalidInput(_not_text(name))
    with _parsing(name, header):
        as_text = dict.fromkeys(types, pa.string())
        first = _first(head, _options(name, how, as_text))[1]
    for column in types:
        if first is not None and column not in stated:
            types[column] = _reconsidered(first[column], types[column], column, name)
    return agreed([(name, types)], stated)


def csv_batches(path: Path, name: str, types: Types, how: Reading) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV, block by block, in the described types.

    Raises:
        InvalidInput: a value does not fit its column's type, or a row has other fields.
    """
    from pyarrow import csv

    with _parsing(name, []), _text(str(path), name) as stream:
        names = _header(stream.read(BLOCK + 1), name, how)
    if sorted(names) != sorted(types):
        msg = f"{name}: its columns changed since it was described; load the dataset again"
        raise InvalidInput(msg)
    with ExitStack() as stack:
        with _parsing(name, names, types):
            stream = stack.enter_context(_text(str(path), name))
            reader = csv.open_csv(stream, **_options(name, how, types))
        while True:
            with _parsing(name, names, types):
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                rows = converted(batch, types)
            yield rows


def _first(head: bytes, options: dict[str, Any]) -> tuple[pa.Schema, pa.RecordBatch | None]:
    """The schema and the rows of the first block."""
    import pyarrow as pa
    from pyarrow import csv

    with csv.open_csv(pa.BufferReader(head), **options) as reader:
        return reader.schema, next(iter(reader), None)


def _header(head: bytes, name: str, how: Reading) -> list[str]:
    import csv
    import io

    try:
        text = io.TextIOWrapper(io.BytesIO(head), encoding="utf-8-sig", newline="")
        names = next(csv.reader(text, delimiter=_delimiter(name, how)), [])
    except UnicodeDecodeError:
        raise InvalidInput(_not_text(name)) from None
    except csv.Error as error:
        msg = f"{name}: its header cannot be read as CSV ({error})"
        raise InvalidInput(msg) from None
    other = next((sign for sign in ";\t|" if len(names) == 1 and sign in names[0]), None)
    if other is not None and not how.delimiter:
        sign = json.dumps(other)
        msg = (
            f"{name} has one column, with {sign} in its name: say delimiter = {sign} for data-files"
        )
        raise InvalidInput(msg)
    return names


def _delimiter(name: str, how: Reading) -> str:
    return how.delimiter or ("\t" if ".tsv" in Path(name).suffixes else ",")


def _not_text(name: str) -> str:
    return f"{name} is not UTF-8 text: convert it, for example with iconv"


def _options(name: str, how: Reading, types: Types) -> dict[str, Any]:
    from pyarrow import csv

    return {
        "read_options": csv.ReadOptions(block_size=BLOCK),
        "parse_options": csv.ParseOptions(delimiter=_delimiter(name, how), newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            column_types=types,
            null_values=list(how.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }


@contextmanager
def _text(source: Any, name: str) -> Iterator[Any]:
    """The bytes of a CSV, decompressed as its ending says."""
    import pyarrow as pa

    from interlock_data_files.addresses import COMPRESSIONS

    compression = COMPRESSIONS.get(Path(name).suffix)
    with pa.input_stream(source, compression=compression) as stream:
        yield stream


def _reconsidered(texts: pa.Array, kind: pa.DataType, column: str, name: str) -> pa.DataType:
    """An inferred type, once the column's text has been looked at.

    Raises:
        InvalidInput: it is text only because of a word such as NA among its numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_integer(kind):
        zeros = pc.any(pc.match_substring_regex(texts, _LEADING_ZERO)).as_py()
        return pa.string() if zeros else kind
    if t.is_string(kind):
        plain = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
        words = pc.is_in(plain, value_set=pa.array(_WORDS_FOR_NULL))
        rest = texts.filter(pc.invert(words)).drop_null()
        if pc.any(words).as_py() and len(rest) and _are_numbers(rest):
            found = sorted(pc.unique(texts.filter(words)).to_pylist())
            stated = json.dumps(["", *found], ensure_ascii=False)
            msg = (
                f"{name}: column {column!r} holds numbers and {', '.join(map(repr, found))}: where "
                f"that stands for null, set null_values = {stated} for data-files, else "
                f'[task.types] {column} = "string"'
            )
            raise InvalidInput(msg)
    return kind


def _are_numbers(texts: pa.Array) -> bool:
    import pyarrow as pa

    try:
        texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


@contextmanager
def _parsing(name: str, columns: list[str], types: Types | None = None) -> Iterator[None]:
    """What pyarrow raises, as ours: it quotes the value that does not fit, we name its column."""
    import pyarrow as pa

    with reading(name, "csv"):
        try:
            yield
        except pa.ArrowInvalid as error:
            column, width = _COLUMN.search(str(error)), _WIDTH.search(str(error))
            if column and int(column[1]) < len(columns):
                found = columns[int(column[1])]
                read_as = f"is read as {types[found]} and" if types else ""
                msg = (
                    f"{name}: column {found!r} {read_as} holds a value that does not fit: "
                    f'say its type, for example [task.types] {found} = "string", or in '
                    "null_values of data-files what stands for null"
                )
            elif width:
                msg = (
                    f"{name}: a row has {width[2]} fields where the header has {width[1]}: check "
                    "the delimiter and the quotes"
                )
            else:
                raise
            raise InvalidInput(msg) from None
