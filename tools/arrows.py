"""An import-linter contract for plugins: a folder each, most of them a single module."""

import ast
from collections.abc import Iterator
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

CONTRACT = "interlock_hookspecs"
LIBRARIES = {"interlock_serving"}
"""What the plugins of several backends share; a plugin that uses one requires it."""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the top-level name of everything of ours that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes(), path.as_posix())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top == "interlock" or top.startswith("interlock_"):
                yield node.lineno, top


class PluginsContract(Contract):
    """Each distribution below ``folders`` imports the contract, `LIBRARIES` and itself.

    Its tests may import other plugins, to be tried against the real thing, but not the core.
    """

    type_name = "plugins"
    folders = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # import-linter's signature
        """Read every Python file of every plugin."""
        broken = []
        found = (path.parent for top in self.folders for path in Path(top).glob("*/pyproject.toml"))
        for plugin in sorted(found):
            own = f"interlock_{plugin.name.replace('-', '_')}"
            for path in sorted(plugin.rglob("*.py")):
                if "build" in path.relative_to(plugin).parts:
                    continue
                broken += [
                    f"{path}:{line} imports {name}"
                    for line, name in imported(path)
                    if name not in {CONTRACT, own, *LIBRARIES}
                    and not (path.name.startswith("test_") and name != "interlock")
                ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name the lines."""
        for line in check.metadata["broken"]:
            output.print_error(line)
