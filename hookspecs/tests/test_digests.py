"""The logical digest of a table, both ways: what must not change it, and what must."""

import math
import os
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_hookspecs import (
    TableHasher,
    bytes_digest,
    file_digest,
    folder_digest,
    folder_manifest,
    is_digest,
    path_digest,
    table_digest,
)

SCALARS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(st.characters(codec="utf-8"), max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.large_binary(): st.binary(max_size=5),
    pa.timestamp("us", "UTC"): st.integers(-(2**53), 2**53),
    pa.date32(): st.integers(-(2**19), 2**19),
    pa.decimal128(10, 2): st.decimals(-999, 999, places=2),
}
NESTED = {
    pa.list_(pa.int64()): st.lists(st.none() | st.integers(0, 3), max_size=3),
    pa.list_(pa.string()): st.lists(st.none() | st.text("ab", max_size=2), max_size=3),
    pa.list_(pa.list_(pa.int8())): st.lists(
        st.none() | st.lists(st.integers(0, 3), max_size=2), max_size=2
    ),
    pa.struct({"a": pa.int64(), "b": pa.string()}): st.fixed_dictionaries(
        {"a": st.none() | st.integers(0, 3), "b": st.none() | st.text("ab", max_size=2)}
    ),
}
KINDS = SCALARS | NESTED


@st.composite
def columns(draw, kinds=KINDS, least=0):
    """A type and the values of a column of it, nulls among them."""
    kind = draw(st.sampled_from(list(kinds)))
    return kind, draw(st.lists(st.none() | kinds[kind], min_size=least, max_size=12))


def table(kind, values, name="x"):
    return pa.table({name: pa.array(values, kind)})


def cut(whole, places):
    """The same rows in other chunks: cut at some places, an empty chunk at each."""
    ends = sorted({0, *(place % (whole.num_rows + 1) for place in places), whole.num_rows})
    parts = [whole.slice(a, b - a) for a, b in pairwise(ends)]
    return pa.concat_tables([whole.slice(0, 0), *parts, whole.slice(0, 0)])


def same(one, other):
    """Equality of values as the digest means it: a NaN is a NaN, and 0.0 is not -0.0."""
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(columns(), st.lists(st.integers(0, 20), max_size=4))
def test_chunks_and_slices_do_not_count(column, places):
    """However the rows are cut, and whatever they were sliced from, the digest is one."""
    whole = table(*column)
    assert table_digest(cut(whole, places)) == table_digest(whole)
    longer = pa.concat_tables([whole, whole, whole]).combine_chunks()
    assert table_digest(longer.slice(whole.num_rows, whole.num_rows)) == table_digest(whole)


@given(columns(), st.lists(st.integers(0, 20), max_size=4))
def test_batches_do_not_count(column, places):
    """Rows that arrive in batches give the digest of the table."""
    whole, hasher = table(*column), TableHasher()
    hasher.update(whole.slice(0, 0))
    for batch in cut(whole, places).to_batches():
        hasher.update(batch)
    assert hasher.digest() == table_digest(whole)


@given(columns({pa.string(): SCALARS[pa.string()], pa.int64(): SCALARS[pa.int64()]}))
def test_dictionary_encoding_does_not_count(column):
    """A column and its dictionary encoding hold the same values."""
    whole = table(*column)
    encoded = pa.table({"x": whole["x"].dictionary_encode()})
    assert table_digest(encoded) == table_digest(whole)


@given(columns({pa.string(): SCALARS[pa.string()], pa.binary(): SCALARS[pa.binary()]}))
def test_the_width_of_offsets_does_not_count(column):
    """Large strings, string views and strings are one type; so with binary."""
    kind, values = column
    wide = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}[kind]
    view = {pa.string(): pa.string_view(), pa.binary(): pa.binary_view()}[kind]
    digests = {table_digest(table(each, values)) for each in (kind, wide, view)}
    assert len(digests) == 1


@given(st.lists(st.none() | st.lists(st.integers(0, 3), max_size=3), max_size=6))
def test_the_width_of_list_offsets_does_not_count(values):
    """A large list is a list."""
    lists, large = (table(kind(pa.int64()), values) for kind in (pa.list_, pa.large_list))
    assert table_digest(lists) == table_digest(large)


@given(columns({kind: SCALARS[kind] for kind in SCALARS if not pa.types.is_decimal(kind)}))
def test_run_end_encoding_does_not_count(column):
    """Runs are storage."""
    plain = pa.array(*reversed(column))
    encoded = pa.table({"x": pc.run_end_encode(plain)})
    assert table_digest(encoded) == table_digest(pa.table({"x": plain}))


@given(columns())
def test_metadata_does_not_count(column):
    """What a writer notes about a table or a field is none of its rows."""
    kind, values = column
    noted = pa.schema([pa.field("x", kind, metadata={"unit": "years"})], metadata={"by": "ana"})
    assert table_digest(table(kind, values).cast(noted)) == table_digest(table(kind, values))


@given(st.data())
def test_bytes_under_a_null_do_not_count(data):
    """A null is a null, whatever its slot in the buffer was before."""
    kind = data.draw(st.sampled_from([kind for kind in SCALARS if kind != pa.bool_()]))
    filled = pa.array(data.draw(st.lists(SCALARS[kind], min_size=1, max_size=12)), kind)
    kept = [place % 2 == 0 for place in range(len(filled))]
    _, valid = pa.array(kept).buffers()
    hidden = pa.Array.from_buffers(kind, len(filled), [valid, *filled.buffers()[1:]])
    values = zip(filled.to_pylist(), kept, strict=True)
    shown = pa.array([value if there else None for value, there in values], kind)
    assert table_digest(pa.table({"x": hidden})) == table_digest(pa.table({"x": shown}))


def test_values_under_a_null_struct_do_not_count():
    """What lies in a child's slot under a null parent is nothing."""
    hidden, shown = (
        pa.StructArray.from_arrays([pa.array(values)], ["a"], mask=pa.array([False, True]))
        for values in ([1, 2], [1, None])
    )
    assert table_digest(pa.table({"x": hidden})) == table_digest(pa.table({"x": shown}))


def test_items_under_a_null_list_do_not_count():
    """What the offsets of a null list enclose is nothing."""
    ends = pa.array([0, 1, 2], pa.int32())
    hidden = pa.ListArray.from_arrays(ends, pa.array([1, 2]), mask=pa.array([False, True]))
    assert table_digest(pa.table({"x": hidden})) == table_digest(table(hidden.type, [[1], None]))


@given(columns(least=1), st.data())
def test_any_changed_value_counts(column, data):
    """One value replaced by another, or by a null, or a null by a value, is another table."""
    kind, values = column
    place = data.draw(st.integers(0, len(values) - 1))
    value = data.draw(st.none() | KINDS[kind])
    changed = [*values[:place], value, *values[place + 1 :]]
    before, after = table(kind, values), table(kind, changed)
    unchanged = same(before["x"][place].as_py(), after["x"][place].as_py())
    assert (table_digest(before) == table_digest(after)) is unchanged


@given(columns(least=1), st.data())
def test_a_row_more_or_less_counts(column, data):
    """A row left out is missed, even where it equals its neighbour."""
    kind, values = column
    place = data.draw(st.integers(0, len(values) - 1))
    shorter = [*values[:place], *values[place + 1 :]]
    assert table_digest(table(kind, values)) != table_digest(table(kind, shorter))


@given(columns(least=2), st.data())
def test_the_order_of_rows_counts(column, data):
    """Two different rows swapped make another table."""
    kind, values = column
    a, b = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
    swapped = list(values)
    swapped[a], swapped[b] = values[b], values[a]
    before, after = table(kind, values), table(kind, swapped)
    unchanged = same(before["x"].to_pylist(), after["x"].to_pylist())
    assert (table_digest(before) == table_digest(after)) is unchanged


@given(st.lists(st.text("ab", max_size=3), max_size=5), st.lists(st.text("ab", max_size=3)))
def test_where_a_text_ends_counts(one, other):
    """The same letters, divided otherwise, are other values."""
    digests = [table_digest(table(pa.string(), values)) for values in (one, other)]
    assert (digests[0] == digests[1]) is (one == other)


@given(
    st.lists(st.none() | st.lists(st.integers(0, 1), max_size=2), max_size=4),
    st.lists(st.none() | st.lists(st.integers(0, 1), max_size=2), max_size=4),
)
def test_where_a_list_ends_counts(one, other):
    """The same items, divided otherwise, are other lists; no list is not an empty one."""
    digests = [table_digest(table(pa.list_(pa.int64()), values)) for values in (one, other)]
    assert (digests[0] == digests[1]) is (one == other)


NULLS = [
    (pa.string(), None, ""),
    (pa.int64(), None, 0),
    (pa.float64(), None, float("nan")),
    (pa.float64(), 0.0, -0.0),
    (pa.bool_(), None, False),
    (pa.list_(pa.int64()), None, []),
    (pa.list_(pa.int64()), [], [None]),
    (pa.struct({"a": pa.int64()}), None, {"a": None}),
    (pa.timestamp("us"), None, 0),
]


@pytest.mark.parametrize(("kind", "one", "other"), NULLS, ids=str)
def test_nothing_is_not_the_empty_value(kind, one, other):
    """A null, an empty value, a zero and a NaN are four things."""
    assert table_digest(table(kind, [one])) != table_digest(table(kind, [other]))


def test_every_nan_is_the_same_nan():
    """The bits inside a NaN are storage."""
    import numpy as np

    quiet = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
    digests = {table_digest(pa.table({"x": quiet[place : place + 1]})) for place in (0, 1)}
    assert len(digests) == 1


TYPES = [
    (pa.int64(), pa.int32()),
    (pa.int64(), pa.uint64()),
    (pa.int64(), pa.float64()),
    (pa.int64(), pa.timestamp("us")),
    (pa.timestamp("us"), pa.timestamp("ms")),
    (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    (pa.date32(), pa.int32()),
    (pa.list_(pa.int64()), pa.list_(pa.int32())),
    (pa.string(), pa.binary()),
]


@pytest.mark.parametrize(("one", "other"), TYPES, ids=str)
@pytest.mark.parametrize("values", [[], [None]], ids=["empty", "null"])
def test_the_logical_type_counts_even_without_values(one, other, values):
    """Equal values of another type are other values, and so is their absence."""
    assert table_digest(table(one, values)) != table_digest(table(other, values))


@given(st.permutations(["a", "b", "c"]))
def test_the_names_and_order_of_columns_count(names):
    """Columns that stand elsewhere, or are called otherwise, make another table."""
    whole = pa.table({"a": [1], "b": [1], "c": [1]})
    unchanged = names == ["a", "b", "c"]
    assert (table_digest(whole.select(names)) == table_digest(whole)) is unchanged
    assert (table_digest(whole.rename_columns(names)) == table_digest(whole)) is unchanged


def test_columns_cannot_be_confused_by_their_names():
    """A name that looks like two is one."""
    one = pa.table({'a","b': [1]})
    assert table_digest(one) != table_digest(pa.table({"a": [1], "b": [1]}))


def test_no_rows_and_no_columns_differ():
    """An empty table is known by its columns."""
    tables = [pa.table({}), table(pa.int64(), []), table(pa.int64(), [], name="y")]
    assert len({table_digest(each) for each in tables}) == 3


def test_a_batch_of_other_columns_is_refused():
    """Batches that do not belong together have no digest."""
    hasher = TableHasher()
    hasher.update(table(pa.int64(), [1]))
    with pytest.raises(ValueError, match="'y'"):
        hasher.update(table(pa.int64(), [1], name="y"))


def test_the_digest_of_a_table_is_fixed_for_ever():
    """What a ledger holds today is what a later version computes."""
    whole = pa.table(
        {
            "n": pa.array([1, None, 3], pa.int64()),
            "x": pa.array([0.5, None, float("nan")]),
            "t": pa.array(["a", None, ""]),
            "l": pa.array([[1, None], None, []], pa.list_(pa.int8())),
            "s": pa.array([{"a": True}, None, {"a": None}], pa.struct({"a": pa.bool_()})),
            "d": pa.array([0, None, 1], pa.timestamp("us", "UTC")),
        }
    )
    assert table_digest(whole) == FIXED


FIXED = "sha256:d983e094b2d2c49aecdb9ff1083361f8b3d02ff8336058c5c0af6cd7c1c95b14"


def test_a_file_and_its_bytes_have_one_digest(tmp_path):
    """A file is read in chunks, and all of it counts."""
    data = os.urandom((1 << 20) + 1)
    path = tmp_path / "data.bin"
    path.write_bytes(data)
    assert file_digest(path) == path_digest(path) == bytes_digest(data)


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3).map(lambda name: f"f{name}"),
        st.binary(max_size=4),
        max_size=4,
    ),
    st.randoms(),
)
def test_a_folder_is_its_files_and_nothing_else(tmp_path_factory, files, order):
    """Neither the order of writing, nor times, permissions and empty folders count."""
    names = list(files)
    digests = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("folder")
        order.shuffle(names)
        for name in names:
            (folder / name).write_bytes(files[name])
            (folder / name).chmod(order.choice([0o600, 0o644]))
        if order.random() < 0.5:
            (folder / "empty").mkdir()
        digests.append(folder_digest(folder))
    assert digests[0] == digests[1]
    assert [name for name, _, _ in folder_manifest(folder)] == sorted(files)


def test_every_change_in_a_folder_counts(tmp_path):
    """A changed byte, another name, a moved, added or missing file is another folder."""

    def changed(name, act):
        folder = tmp_path / name
        (folder / "sub").mkdir(parents=True)
        (folder / "a").write_bytes(b"1")
        (folder / "sub" / "b").write_bytes(b"2")
        act(folder)
        return path_digest(folder)

    digests = [
        changed("as it is", lambda _: None),
        changed("byte", lambda folder: (folder / "a").write_bytes(b"9")),
        changed("name", lambda folder: (folder / "a").rename(folder / "c")),
        changed("moved", lambda folder: (folder / "a").rename(folder / "sub" / "a")),
        changed("added", lambda folder: (folder / "c").write_bytes(b"")),
        changed("missing", lambda folder: (folder / "sub" / "b").unlink()),
        changed("swapped", lambda folder: _swap(folder / "a", folder / "sub" / "b")),
    ]
    assert len({*digests}) == len(digests)


def _swap(one, other):
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def test_a_link_in_a_folder_is_refused(tmp_path):
    """What is only pointed at may change without the folder."""
    (tmp_path / "link").symlink_to("/dev/null")
    with pytest.raises(ValueError, match="link is neither a file nor a folder"):
        folder_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "G" * 64, "md5:" + "0" * 64, None, 3])
def test_what_is_no_digest_is_told_apart(text):
    """A digest is the word, a colon and 64 lower-case hexadecimal digits."""
    assert not is_digest(text)
