"""A plugin in an environment of its own: both ends of the calls that go there and back.

Core has the parent's end: it starts an interpreter with ``python -m interlock_worker``, and gets a
class whose instances answer hooks as if the plugin were here. The worker's end needs the contract,
cattrs and pyarrow, and never core.
"""
