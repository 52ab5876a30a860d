"""What the contract's tests share."""

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("wrong_plugins")  # so that what differs is shown there, too

# A machine under load is no failure: how long an example takes says nothing here.
settings.register_profile("interlock", deadline=None)
settings.load_profile("interlock")
