"""An import-linter contract: no module of ours imports itself by way of others."""

import ast
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Graph = Mapping[str, set[str]]
"""Which modules each one imports."""

_NO_MODULES = ("test_*.py", "conftest.py")


def modules(folder: Path) -> dict[str, Path]:
    """The modules of a distribution by name, without its tests."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] in ("build", "tests") or any(map(path.match, _NO_MODULES)):
            continue
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Container[str]) -> Iterator[str]:
    """The known modules that a file imports, wherever in it: in a function, or for types only."""
    for node in ast.walk(ast.parse(path.read_bytes(), path.as_posix())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                name = inside if inside in known else node.module
                if name in known:
                    yield name


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """The modules that import each other by way of others, circle by circle.

    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}})
    [('b', 'c')]
    """
    reached = {name: _reached(name, graph) for name in graph}
    found = {
        tuple(sorted({name, *(other for other in reached[name] if name in reached[other])}))
        for name in graph
    }
    return sorted(circle for circle in found if len(circle) > 1)


def _reached(name: str, graph: Graph) -> set[str]:
    seen: set[str] = set()
    left = [name]
    while left:
        new = graph[left.pop()] - seen
        seen |= new
        left += new
    return seen


class CirclesContract(Contract):
    """No modules of the distributions in ``folders`` import each other, however far around.

    It counts what is imported in a function and what is imported for types only: a module is read,
    and moved, together with what it names.
    """

    type_name = "circles"
    folders = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002  # import-linter's signature
        """Read every module of every distribution."""
        paths = {}
        for pattern in self.folders:
            for project in sorted(Path().glob(f"{pattern}/pyproject.toml")):
                paths |= modules(project.parent)
        found = circles({name: {*imported(path, paths)} for name, path in paths.items()})
        broken = [f"a circle of {' '.join(circle)}" for circle in found]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name the circles."""
        for line in check.metadata["broken"]:
            output.print_error(line)
