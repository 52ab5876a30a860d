"""What either process may call of the other from the beginning."""

from __future__ import annotations

from typing import Any, Protocol


class Plugins(Protocol):
    """The worker, as the parent calls it."""

    def describe(self, role: str, word: str) -> Any:
        """Load a plugin and say what it is, as `interlock_worker.describe.describe` does.

        Raises:
            WorkerFailed: it is not installed there, or fails to import.
        """

    def distributions(self, roots: list[str]) -> Any:
        """What is installed there, as `interlock_worker.distributions.distributions` tells it."""

    def make(self, settings: Any) -> int:
        """Make an instance and give its number, by which it is asked hooks until it is dropped.

        Raises:
            Exception: whatever the class raises against its settings.
        """

    def left_out(self, number: int) -> list[str]:
        """The hooks that an instance does not answer as it is configured."""

    def check(self, name: str, value: Any) -> None:
        """Hold a value against the validator of a setting.

        Raises:
            Exception: whatever the validator raises.
        """


class Listener(Protocol):
    """The parent, as the worker calls it beside what hooks are given."""

    def log(self, name: str, level: int, text: str) -> None:
        """Take a record that was logged there."""

    def level(self) -> int:
        """From which level on records are worth sending."""
