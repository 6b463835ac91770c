"""List circles among the imports of the package: those in functions and type-checking ones too.

    python tools/import_circles.py

Ends with status 1 when there is one. A module that imports its own package's `__init__` counts.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src"


def name_of(path: Path) -> str:
    """Dotted name of a file below `src`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, known: set[str]) -> set[str]:
    """Modules of the package that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = below & known
            found |= modules
            if len(modules) < len(below):  # a name that is no module lives in the package
                found.add(node.module)
    return (found & known) - {name_of(path)}


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Strongly connected components of more than one module (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> Iterator[list[str]]:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                yield from visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            circle = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(circle) > 1:
                yield sorted(circle)

    for module in sorted(graph):
        if module not in order:
            yield from visit(module)


def main() -> int:
    files = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
    graph = {name: imported(path, set(files)) for name, path in files.items()}
    found = list(circles(graph))
    for circle in found:
        print("circle: " + ", ".join(circle))
    print(f"{len(found)} circles among {len(files)} modules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
