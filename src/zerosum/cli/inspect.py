"""`zerosum inspect`: what is in these data, and what is wrong with them?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer


def inspect(
    path: Annotated[str, typer.Argument(help="Folder, archive, file or named set.")],
    kind: Annotated[
        str | None,
        typer.Option("--as", help="Kind of data, where a path can be read as several."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[
        Path | None,
        typer.Option(
            help="For tables: a new .json FILE for what columns are taken for, to be edited and "
            "given to a training as data.schema=FILE."
        ),
    ] = None,
) -> None:
    """Look at a set of data: counts, what is missing, repeated or unreadable.

    Ends with the exact command to type next. Example: zerosum inspect photos/
    """
    from zerosum.errors import UserError
    from zerosum.files import must_be_file, write_text
    from zerosum.names import printable
    from zerosum.pipelines.reading import kind_of

    read = kind_of(path, kind)
    if schema is not None:
        must_be_file(schema, "--schema")
        if schema.exists():  # it may have been edited
            raise UserError(f"{schema} is there already: name another file with --schema")
        write_text(schema, read.schema(path))
    found = read.inspect(path)
    if as_json:
        print(json.dumps(dict(found.facts), indent=2))
        return
    print(printable(found.path))
    for name, value in found.rows.items():
        print(f"  {name:<14}{printable(value)}")
    for line in found.notes:
        print(f"  {'note':<14}{printable(line)}")
    for line in found.warnings:
        print(f"  {'WARNING':<14}{printable(line)}")
    edited = f" data.schema={shlex.quote(str(schema))}" if schema is not None else ""
    print(f"\nnext: {printable(found.command + edited)}")
