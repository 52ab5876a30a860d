"""The drift monitor on made rows: what it keeps, what it merges, when it speaks and when not."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interlock_hookspecs import InvalidInput, NotFound, Signature, Task, Window
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.monitor import MonitorSuite
from interlock_monitor_drift import Drift

TASK = Task(dataset="made", id="id", target="y", kind="binary")


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path)


def made(n, seed, shift=0.0):
    """Rows of a normal, a skewed whole number, a text and an id, and a binary model's answers."""
    draw = np.random.default_rng(seed)
    x = draw.normal(shift, 1, n)
    score = 1 / (1 + np.exp(-x))
    rows = pa.table(
        {
            "id": np.arange(n),
            "x": x,
            "visits": draw.poisson(2, n) * 3,
            "city": draw.choice(["Lowell", "Salem", "Lynn"], n, p=[0.5, 0.4, 0.1]),
            "y": draw.integers(0, 2, n),
        }
    )
    return rows, pa.table({"score": score, "prediction": (score >= 0.5).astype(int)})


def served(rows, answers=None):
    for name in answers.column_names if answers else ():
        rows = rows.append_column(name, answers[name])
    signature = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
    return Window(rows=rows, start=1, end=2, as_of=2, release="release-1", signature=signature)


def built(plugin, rows, answers, ws):
    (profile,) = plugin.build_profile(rows=rows, predictions=answers, task=TASK, ws=ws)
    return profile


def compared(plugin, profile, window, ws):
    found = plugin.compare_window(profile=profile, window=window, task=TASK, ws=ws)
    return {finding.label: finding for finding in found}


def only(values, window, ws, plugin=None):
    """The findings of one column ``x`` between reference values and a window's."""
    plugin = plugin or Drift()
    profile = built(plugin, pa.table({"x": values}), pa.table({}), ws)
    return compared(plugin, profile, served(pa.table({"x": window})), ws)


def alerts(findings):
    return {label for label, finding in findings.items() if finding.status == "alert"}


def test_features_and_outputs_are_profiled_and_nothing_else(ws):
    """A profile holds every feature and output; id and target are no features."""
    profile = built(Drift(), *made(1000, 0), ws)
    document = json.loads(ws.locate(profile.artifact).read_text())
    names = [column["name"] for column in document["columns"]]
    assert (names, profile.rows) == (["x", "visits", "city", "score", "prediction"], 1000)


def test_equal_rows_give_an_equal_profile(ws):
    """Chunks, dictionary encoding and a second call change no byte of a profile."""
    rows, answers = made(1000, 0)
    other = pa.concat_tables([rows.slice(0, 300), rows.slice(300)])
    city = other["city"].dictionary_encode()
    other = other.set_column(other.column_names.index("city"), "city", city)
    profiles = [built(Drift(), given, answers, ws) for given in (rows, rows, other)]
    assert len({profile.artifact.digest for profile in profiles}) == 1


def test_a_moved_column_is_found_and_no_other(ws):
    """A shift of half a standard deviation alerts for its column and for the answers to it."""
    profile = built(Drift(), *made(20_000, 0), ws)
    found = compared(Drift(), profile, served(*made(5_000, 1, shift=0.5)), ws)
    columns = {label.partition("[")[2].rstrip("]") for label in alerts(found)}
    assert columns == {"x", "score", "prediction"}
    assert found["psi[x]"].value == pytest.approx(0.25, abs=0.04)  # shift**2 for a normal
    assert found["psi[x]"].threshold == 0.1
    assert found["psi[x]"].n == 5_000


def test_ks_sees_a_shift_that_psi_does_not(ws):
    """A tenth of a standard deviation moves the PSI by 0.01 and the KS statistic by 0.04."""
    plugin = Drift(ks=0.03)
    profile = built(plugin, *made(100_000, 0), ws)
    found = compared(plugin, profile, served(*made(100_000, 1, shift=0.1)), ws)
    assert found["psi[x]"].value == pytest.approx(0.01, abs=0.003)
    assert found["ks[x]"].value == pytest.approx(0.04, abs=0.006)
    assert alerts(found) == {"ks[x]", "ks[score]", "ks[prediction]"}


@pytest.mark.parametrize("n", [200, 1_000])
def test_windows_of_the_reference_itself_stay_quiet(ws, n):
    """Small samples of the reference's own population raise hardly an alert."""
    profile = built(Drift(), *made(20_000, 0), ws)
    windows = [compared(Drift(), profile, served(*made(n, seed)), ws) for seed in range(1, 101)]
    findings = sum(len(found) for found in windows)
    raised = sum(len(alerts(found)) for found in windows)
    assert findings >= 900
    assert raised <= 4  # 0.001 for each comparison would be one


def test_a_small_window_needs_more_to_alert(ws):
    """The threshold of a small window is what chance reaches, and the finding says so."""
    profile = built(Drift(), *made(20_000, 0), ws)
    found = compared(Drift(), profile, served(*made(200, 1)), ws)
    assert found["psi[x]"].threshold == pytest.approx(0.14, abs=0.005)
    assert found["psi[x]"].facts["stated_threshold"] == 0.1


def test_too_few_rows_measure_nothing(ws):
    """Under min_rows each column is unmeasured, with the reason."""
    profile = built(Drift(), *made(1000, 0), ws)
    found = compared(Drift(), profile, served(*made(199, 1, shift=9.0)), ws)
    assert {finding.status for finding in found.values()} == {"unmeasured"}
    assert "min_rows" in found["psi[x]"].reason


def test_an_empty_window_is_unmeasured(ws):
    """No rows are no drift and no crash."""
    rows, answers = made(1000, 0)
    profile = built(Drift(), rows, answers, ws)
    found = compared(Drift(), profile, served(rows.slice(0, 0), answers.slice(0, 0)), ws)
    assert {finding.status for finding in found.values()} == {"unmeasured"}


def test_a_missing_column_is_said(ws):
    """A window without a column is unmeasured there, and measured elsewhere."""
    rows, answers = made(1000, 0)
    profile = built(Drift(), rows, answers, ws)
    found = compared(Drift(), profile, served(rows.drop(["city"]), answers), ws)
    assert found["psi[city]"].reason == "the window has no city"
    assert found["psi[x]"].status == "ok"


def test_a_column_of_another_type_alerts(ws):
    """A number that comes as a text cannot be compared, which is itself a finding."""
    found = only(range(1000), [str(value) for value in range(1000)], ws)
    assert alerts(found) == {"type[x]"}
    assert "was number and is text" in found["type[x]"].reason


def test_the_width_of_a_number_does_not_matter(ws):
    """Whole numbers that come back as floats are the same column."""
    values = list(range(1000))
    assert not alerts(only(pa.array(values, pa.int16()), pa.array(values, pa.float64()), ws))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_values_are_compared_as_a_share(ws, missing):
    """A null and a NaN are no value; where more come than before, that is a finding."""
    values = [float(value) for value in range(1000)]
    found = only(pa.array(values), pa.array([*values[:800], *[missing] * 200]), ws)
    assert found["nulls[x]"].value == pytest.approx(0.2)
    assert found["nulls[x]"].status == "alert"
    assert found["psi[x]"].n == 800


def test_a_column_without_any_value_is_no_crash(ws):
    """All null now: the nulls alert. All null before: there is nothing to compare with."""
    values, nothing = list(range(1000)), pa.nulls(1000)
    assert alerts(only(values, nothing, ws)) == {"nulls[x]"}
    assert only(nothing, values, ws)["psi[x]"].status == "unmeasured"


def test_an_unseen_value_among_few_is_seen(ws):
    """With few distinct numbers a value between two known ones is outside, not a neighbour's."""
    found = only([1, 2, 3] * 500, [1, 2, 3] * 100 + [1.5] * 30, ws)
    assert found["psi[x]"].status == "alert"
    assert found["psi[x]"].facts["outside"] == pytest.approx(1 / 11)


@pytest.mark.parametrize("place", ["least", "middle", "most"])
def test_a_frequent_value_has_a_cell_of_its_own(ws, place):
    """Where most rows hold one value, leaving it for a neighbour is seen by the PSI."""
    among = {"least": range(20), "middle": range(-10, 10), "most": range(-19, 1)}[place]
    before = [0] * 950 + [value for value in among for _ in range(3)]
    now = [value for value in among for _ in range(20)]
    found = only(before, now, ws)
    assert found["psi[x]"].value > 1
    assert not alerts(only(before, before, ws))


def test_unseen_categories_are_counted_together(ws):
    """A category that the reference never had alerts, and its share is told."""
    found = only(["a", "b"] * 500, ["a", "b"] * 100 + ["c"] * 40, ws)
    assert "psi[x]" in alerts(found)
    assert found["psi[x]"].facts["outside"] == pytest.approx(1 / 6)


def test_scarce_categories_cannot_alert_alone(ws):
    """Hundreds of categories with a row or two each say nothing, and raise nothing."""
    draw = np.random.default_rng(0)
    names = [f"shop {place}" for place in range(2000)]
    before, now = draw.choice(names, 5000), draw.choice(names, 300)
    assert not alerts(only(before, now, ws))


def test_values_beyond_the_edges_are_counted(ws):
    """What is below, above or infinite falls into the outer cells."""
    values = [float(value) for value in range(1000)]
    now = [-1e9] * 100 + values[:800] + [float("inf")] * 100
    assert only(values, now, ws)["psi[x]"].facts["outside"] == pytest.approx(0.2)


def test_columns_of_times_are_compared(ws):
    """Dates and timestamps are ordered values like numbers."""
    days = pa.array(range(1000), pa.int32()).cast(pa.date32())
    later = pa.array(range(900, 1900), pa.int32()).cast(pa.date32())
    assert alerts(only(days, later, ws)) == {"psi[x]", "ks[x]"}
    assert not alerts(only(days, days.cast(pa.timestamp("ns")), ws))


def test_other_types_say_that_only_nulls_are_compared(ws):
    """A list has no order and no categories here."""
    lists = [[1, 2]] * 500
    assert "only its nulls" in only(lists, lists, ws)["psi[x]"].reason


def test_profiles_of_parts_merge_into_that_of_the_whole(ws):
    """Counted over the same cells, two halves give the bytes that all rows give."""
    rows, answers = made(4000, 0)
    whole = built(Drift(), rows, answers, ws)
    frozen = Drift(edges_from=ws.locate(whole.artifact))
    halves = [
        built(frozen, rows.slice(start, 2000), answers.slice(start, 2000), ws)
        for start in (0, 2000)
    ]
    merged = Drift().merge_profiles(profile=halves[0], others=tuple(halves[1:]), ws=ws)
    assert (merged.artifact.digest, merged.rows) == (whole.artifact.digest, 4000)


def test_profiles_over_other_edges_do_not_merge(ws):
    """Cells that were made from other rows are refused, with the column's name."""
    first, second = (built(Drift(), *made(1000, seed), ws) for seed in (0, 1))
    with pytest.raises(InvalidInput, match="'x' was counted over other edges"):
        Drift().merge_profiles(profile=first, others=(second,), ws=ws)


def test_profiles_of_other_columns_do_not_merge(ws):
    """Profiles of different columns are refused, with the columns in which they differ."""
    rows, answers = made(1000, 0)
    profiles = [built(Drift(), given, answers, ws) for given in (rows, rows.drop(["city"]))]
    with pytest.raises(InvalidInput, match="city"):
        Drift().merge_profiles(profile=profiles[0], others=(profiles[1],), ws=ws)


def test_edges_from_a_missing_file_are_refused(ws):
    """A profile to take the cells from must be there."""
    with pytest.raises(NotFound, match="edges_from"):
        built(Drift(edges_from=Path("nowhere.json")), *made(10, 0), ws)


def test_a_threshold_for_one_column_wins(ws):
    """A column may be given room of its own."""
    rows, answers = made(5000, 0)
    plugin = Drift(thresholds={"psi[x]": 0.5, "ks[x]": 0.5}, ignore=("score", "prediction"))
    profile = built(plugin, rows, answers, ws)
    found = compared(plugin, profile, served(*made(5000, 1, shift=0.5)), ws)
    assert not alerts(found)
    assert not any("score" in label for label in found)


@pytest.mark.parametrize("settings", [{"thresholds": {"psi[z]": 0.5}}, {"ignore": ("z",)}])
def test_a_setting_for_an_unknown_column_is_refused(ws, settings):
    """A misspelled column is an error when the profile is made, not silence for ever."""
    with pytest.raises(InvalidInput, match="no column 'z'"):
        built(Drift(**settings), *made(100, 0), ws)


@pytest.mark.parametrize(
    "settings",
    [
        {"psi": 0.0},
        {"ks": 1.5},
        {"bins": 1},
        {"min_rows": 0},
        {"thresholds": {"pis[x]": 0.1}},
        {"thresholds": {"psi[x]": float("nan")}},
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings):
    """A setting out of its range is an error that says what to write."""
    with pytest.raises(ValueError, match=r"expected|needs|write"):
        Drift(**settings)


def test_a_file_that_is_no_profile_is_refused(ws):
    """Bytes of something else are an error, not an empty answer."""
    profile = built(Drift(), *made(100, 0), ws)
    path = ws.scratch() / "other.json"
    path.write_text("[]")
    other = type(profile)(name="marginals", artifact=ws.keep(path), rows=1)
    with pytest.raises(InvalidInput, match="no drift profile"):
        compared(Drift(), other, served(*made(300, 0)), ws)


class TestDrift(MonitorSuite):
    """Every promise that the contract makes of a monitor."""

    @pytest.fixture
    def plugin(self):
        return Drift()
