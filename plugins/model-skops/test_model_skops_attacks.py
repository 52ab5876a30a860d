"""Crafted files: each is a real model's file with one thing changed, and each is refused."""

import io
import json
import os
import tracemalloc
import warnings
import zipfile

import attrs
import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from interlock_hookspecs import Field, InvalidInput, Signature, Unsupported
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel, archive
from interlock_model_skops.canonical import canonical
from interlock_model_skops.opening import load_checked

X, Y = load_iris(return_X_y=True)


def load(data, max_bytes=1 << 30):
    return load_checked(data, allow=(), max_bytes=max_bytes)


def members_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def zipped(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names, which are the point
        for name, data in members:
            made.writestr(name, data)
    return buffer.getvalue()


def plain(fitted):
    return canonical(skops.io.dumps(fitted))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small fits wait for one another's threads on a busy machine."""
    with threadpool_limits(1, "openmp"):
        yield


@pytest.fixture(scope="module")
def tree():
    return plain(DecisionTreeClassifier(random_state=0).fit(X, Y))


def with_nodes(data, change):
    """The file with the arrays of its trees' nodes changed."""
    members = members_of(data)
    for name, blob in members.items():
        if not name.endswith(".npy"):
            continue
        array = np.load(io.BytesIO(blob))
        if array.dtype.names and len(array) > 1:
            change(array)
            out = io.BytesIO()
            np.save(out, array)
            members[name] = out.getvalue()
    return zipped(members.items())


def setter(field, value, place=0):
    def change(array):
        array[field][place] = value

    return change


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("left_child", 0, 0),
        ("right_child", 0, 0),
        ("left_child", 10**9, 0),
        ("right_child", -5, 0),
        ("feature", 4, 0),
        ("feature", -1, 0),
        ("threshold", np.nan, 0),
    ],
)
def test_an_unsound_tree_is_refused(tree, field, value, place):
    """A loop, a child or feature that is not there, and a threshold that is no number."""
    load(tree)
    with pytest.raises(InvalidInput, match="not sound"):
        load(with_nodes(tree, setter(field, value, place)))


@pytest.mark.parametrize("make", [RandomForestClassifier, GradientBoostingClassifier])
def test_an_unsound_tree_in_an_ensemble_is_refused(make):
    """Trees are found wherever an estimator keeps them."""
    data = plain(make(n_estimators=2, random_state=0).fit(X, Y))
    load(data)
    with pytest.raises(InvalidInput, match="not sound"):
        load(with_nodes(data, setter("left_child", 0)))


@pytest.fixture(scope="module")
def boosting():
    features = X.copy()
    features[:, 0] = np.round(features[:, 0])
    model = HistGradientBoostingClassifier(
        max_iter=3, random_state=0, categorical_features=[0], min_samples_leaf=2
    )
    return plain(model.fit(features, Y))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left", 0),
        ("right", 10**6),
        ("feature_idx", 99),
        ("feature_idx", -1),
        ("num_threshold", np.nan),
        ("value", np.inf),
    ],
)
def test_unsound_histogram_boosting_is_refused(boosting, field, value):
    """The same in the nodes of histogram boosting."""
    load(boosting)
    with pytest.raises(InvalidInput, match="not sound"):
        load(with_nodes(boosting, setter(field, value)))


def test_a_set_of_categories_that_is_not_there_is_refused(boosting):
    """A categorical split must point to a set of its own tree, and to a categorical feature."""

    def change(array):
        array["is_categorical"] = 1
        array["bitset_idx"] = 10**6

    with pytest.raises(InvalidInput, match="a set of categories is outside"):
        load(with_nodes(boosting, change))


def test_a_forest_that_claims_more_outputs_than_it_has_room_for_is_refused():
    """The native loop of gradient boosting writes one column a tree: there must be as many."""
    model = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, Y)
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])
    with pytest.raises(InvalidInput, match="as many as outputs"):
        load(plain(model))


def test_a_one_hot_encoder_with_other_columns_is_refused():
    """Its column counts must be those of its categories."""
    encoder = OneHotEncoder().fit(X)
    load(plain(encoder))
    encoder._n_features_outs = [1] * 4
    with pytest.raises(InvalidInput, match="OneHotEncoder"):
        load(plain(encoder))


def test_no_function_of_the_operating_system_is_built():
    """A FunctionTransformer over os.system is refused before skops sees the file."""
    with pytest.raises(InvalidInput, match="system, which is not on the list"):
        load(plain(make_pipeline(FunctionTransformer(os.system), LogisticRegression())))


def test_an_unknown_type_is_named():
    """A type that nobody vetted is refused, whatever skops itself would trust."""
    with pytest.raises(InvalidInput, match=r"sklearn\.svm\._classes\.SVC"):
        load(plain(SVC().fit(X, Y)))


def test_memory_is_refused_on_both_sides(tmp_path):
    """A pipeline with a cache of pickles is neither written nor opened."""
    model = Pipeline(
        [("scale", StandardScaler()), ("tree", DecisionTreeClassifier())], memory=str(tmp_path)
    ).fit(X, Y)
    with pytest.raises(InvalidInput, match="memory"):
        load(plain(model))
    score = tuple(Field(name=f"score[{label}]", type="double") for label in range(3))
    signature = Signature(kind="multiclass", inputs=(), outputs=score, classes=(0, 1, 2))
    ws = LocalWorkspace(tmp_path / "ws", openers={"skops": SkopsModel()})
    with pytest.raises(Unsupported, match="memory"):
        ws.write_model("skops", model, signature)


def test_a_compressed_file_is_refused_unpacked(tree):
    """A bomb is refused by its table of contents: nothing is unpacked."""
    members = {**members_of(tree), "0.npy": bytes(1 << 28)}
    bomb = zipped(members.items(), zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="compressed"):
            load(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_duplicate_members_are_refused(tree):
    """Two members of one name could be read as one and checked as the other."""
    members = list(members_of(tree).items())
    with pytest.raises(InvalidInput, match="two members have one name"):
        load(zipped([*members, members[0]]))


def test_too_many_members_are_refused(tree, monkeypatch):
    """The number of members is limited before the table of contents is read."""
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    members = {**members_of(tree), **{f"{place}.bin": b"" for place in range(100)}}
    with pytest.raises(InvalidInput, match="more than 100 members"):
        load(zipped(members.items()))


def test_a_member_of_another_name_is_refused(tree):
    """Names are those that skops gives: no folder, no dots."""
    with pytest.raises(InvalidInput, match="name is none that skops gives"):
        load(zipped([*members_of(tree).items(), ("../evil.npy", b"")]))


def test_a_deep_schema_is_refused(tree):
    """Nesting is limited, both where the parser would give up and long before."""
    members = members_of(tree)
    for depth in (500, 10**6):
        members["schema.json"] = b'{"protocol": 2, "x": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises(InvalidInput, match="nested too deeply"):
            load(zipped(members.items()))


def with_schema(data, change):
    members = members_of(data)
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    return zipped(members.items())


def nodes_in(value):
    if isinstance(value, dict):
        if isinstance(value.get("__loader__"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from nodes_in(item)


def test_another_protocol_is_refused(tree):
    """Loaders of older protocols read what is not checked here."""
    with pytest.raises(InvalidInput, match="protocol"):
        load(with_schema(tree, lambda schema: schema.update(protocol=0)))


def test_an_identity_stands_for_one_value(boosting):
    """A value cannot be checked in one place and taken from another."""

    def change(schema):
        first, second = [node for node in nodes_in(schema) if node["__loader__"] == "JsonNode"][:2]
        second["__id__"] = first["__id__"]
        second["content"] = "17"

    with pytest.raises(InvalidInput, match="one identity"):
        load(with_schema(boosting, change))


def test_a_large_pool_of_a_generator_is_refused(boosting):
    """Seeding a pool of a million words would take hours."""

    def change(schema):
        for node in nodes_in(schema):
            content = node.get("content")
            if isinstance(content, dict) and "pool_size" in content:
                content["pool_size"]["content"] = "1000000"
                content["pool_size"]["__id__"] = 10**9

    with pytest.raises(InvalidInput, match="random generator"):
        load(with_schema(boosting, change))


def test_reading_one_array_over_and_over_is_refused(tree):
    """What a file makes in memory is limited, however often it names its arrays."""

    def change(schema):
        (array,) = [node for node in nodes_in(schema) if "file" in node][:1]
        schema["more"] = [{**array, "__id__": 10**6 + place} for place in range(2000)]

    with pytest.raises(InvalidInput, match="max_bytes"):
        load(with_schema(tree, change), max_bytes=100_000)


def test_an_array_that_claims_another_size_is_refused(tree):
    """numpy would allocate what the header claims before it reads."""
    members = members_of(tree)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
    body = b"\x93NUMPY\1\0" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    with pytest.raises(InvalidInput, match="another size"):
        load(zipped([*members.items(), ("0.npy", body)]))


def test_an_array_of_objects_is_refused(tree):
    """Such an array is a pickle."""
    out = io.BytesIO()
    np.save(out, np.array([{}]), allow_pickle=True)
    with pytest.raises(InvalidInput, match="array"):
        load(zipped([*members_of(tree).items(), ("0.npy", out.getvalue())]))


def test_a_cut_file_is_refused(tree):
    """Wherever a file is cut, opening says so, and nothing else happens."""
    for share in (0.0, 0.3, 0.9, 0.999):
        with pytest.raises(InvalidInput):
            load(tree[: int(len(tree) * share)])


def test_altered_bytes_never_get_further_than_a_refusal(tree):
    """Past the digest, a byte that was changed is refused or leaves a sound model."""
    generator = np.random.default_rng(0)
    for place in generator.integers(0, len(tree), 150):
        changed = bytearray(tree)
        changed[place] ^= 1 << int(generator.integers(8))
        try:
            found = load(bytes(changed))
        except InvalidInput:
            continue
        assert type(found) is DecisionTreeClassifier


def test_an_altered_artifact_is_caught_by_its_digest(tmp_path):
    """One byte changed under a recorded digest, and the file is not interpreted at all."""
    ws = LocalWorkspace(tmp_path, openers={"skops": SkopsModel()})
    names = tuple(Field(name=f"x{place}", type="double") for place in range(4))
    score = tuple(Field(name=f"score[{label}]", type="double") for label in range(3))
    signature = Signature(kind="multiclass", inputs=names, outputs=score, classes=(0, 1, 2))
    model = ws.write_model("skops", DecisionTreeClassifier().fit(X, Y), signature)
    path = ws.locate(model.artifact)
    path.write_bytes(path.read_bytes().replace(b"gini", b"ginj", 1))
    with pytest.raises(InvalidInput, match="bytes"):
        ws.open_model(model)


def test_a_large_file_is_refused_unread(tmp_path):
    """max_bytes is held against the file's size before it is read."""
    ws = LocalWorkspace(tmp_path, openers={"skops": SkopsModel()})
    signature = Signature(
        kind="regression", inputs=(), outputs=(Field(name="prediction", type="double"),)
    )
    from sklearn.linear_model import LinearRegression

    model = ws.write_model("skops", LinearRegression().fit(X, Y), signature)
    small = LocalWorkspace(tmp_path, openers={"skops": SkopsModel(max_bytes=100)})
    with pytest.raises(InvalidInput, match="max_bytes = 100"):
        small.open_model(attrs.evolve(model))
