"""What the meaning of a hook says about calling it: how long it lasts, whether twice is once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
        "find_misfits",
        "review",
        "describe_model",
        "endpoint_status",
        "read_captures",
        "read_traffic",
        "compare_window",
        "measure_performance",
        # These keep artifacts, which are known by their bytes: twice is once.
        "snapshot_dataset",
        "import_candidate",
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
"""The hooks that a worker which crashed is asked again, once it is started anew."""

ASKED_ONCE: Mapping[str, str] = MappingProxyType(
    {
        "fit_candidate": "fitting may have been what the machine could not bear, and takes long",
        "set_alias": "it may have moved, and the second answer would be that somebody did it",
        "delete_version": "it may be gone, and the second answer would be that it is missing",
        "on_event": "the event may have been told already",
        "serve_endpoint": "core starts a server again, and knows what it is to serve by then",
    }
)
"""The hooks that it is not asked again, and why: only a person can tell what was done."""
