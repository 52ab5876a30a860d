"""The plugin, without the core."""

import pyarrow as pa
import pytest

from interlock_hookspecs import Task
from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_balance import Balance

ROWS = pa.table({"churned": [0, 0, 0, 1]})


class TestBalance(ValidateSuite):
    """Every promise that the contract makes of a validator."""

    @pytest.fixture
    def plugin(self):
        return Balance()


def test_it_measures_the_rarest_class():
    """One row in four is the rarest class's share."""
    (check,) = Balance().check_data(ROWS, Task(dataset="rows.csv", target="churned"))
    assert (check.label, check.value, check.n) == ("rarest_class", 0.25, 4)


def test_it_raises_a_concern_below_the_setting():
    """The setting decides from which share on a person should look."""
    (check,) = Balance(concern_below=0.5).check_data(
        ROWS, Task(dataset="rows.csv", target="churned")
    )
    assert check.concern
