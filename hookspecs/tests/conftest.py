"""What the contract's tests share."""

from hypothesis import settings

# A machine under load is no failure: how long an example takes says nothing here.
settings.register_profile("interlock", deadline=None)
settings.load_profile("interlock")
