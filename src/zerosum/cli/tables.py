"""Tables on a terminal or in a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def show(title: str, rows: Sequence[Sequence[str]], left: Collection[str] = ()) -> None:
    """Print a table.

    Args:
        title: Above it; "" for none.
        rows: The header, then the rows; all cells are text and are printed as they are.
        left: Columns that are set to the left; the others hold numbers.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    head, *body = rows
    table = Table(box=SIMPLE_HEAD, title=title or None)
    for name in head:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    for row in body:
        table.add_row(*row)
    console.print(table, markup=False)
