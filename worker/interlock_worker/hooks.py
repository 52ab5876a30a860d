"""What the meaning of a hook says about calling it: how long it lasts, whether twice is once."""

from __future__ import annotations

ENDLESS = frozenset({"serve_endpoint"})
"""The hooks that last until somebody ends them: no limit holds for these."""

ASKED_AGAIN = frozenset(
    {
        # These read, and change nothing.
        "load_dataset",
        "open_model",
        "check_data",
        "check_model",
        "get_version",
        "list_versions",
        "review",
        "describe_model",
        "endpoint_status",
        "read_captures",
        "compare_window",
        "measure_performance",
        # These keep artifacts, which are known by their bytes: twice is once.
        "snapshot_dataset",
        "write_model",
        "package_model",
        "fetch_version",
        "render_card",
        "build_profile",
        "merge_profiles",
        # These are given an id, or a state to reach, and the contract says that twice is once.
        "register_version",
        "apply_endpoint",
        "remove_endpoint",
    }
)
"""The hooks that a worker which crashed is asked again, once it is started anew.

The others are not: ``set_alias`` and ``delete_version`` may have done their work, and would answer
that somebody else did; ``on_event`` may have told already; ``fit_candidate`` may have been what
the machine could not bear; ``serve_endpoint`` is started by core.
"""
