"""`zerosum new`: a file to start an own GAN from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer


def new(
    name: Annotated[str, typer.Argument(help="Name of the model, a Python identifier.")],
    modality: Annotated[
        bool, typer.Option("--modality", help="With a kind of data of its own.")
    ] = False,
) -> None:
    """Write NAME.py, an annotated model that trains and passes `zerosum check` as it stands.

    Example: zerosum new mygan && zerosum check mygan
    """
    from zerosum.core.registry import modules
    from zerosum.errors import UserError
    from zerosum.files import write_text

    if not name.isidentifier() or name != name.lower():
        raise UserError(f"'{name}' is no name for a module: use small letters, digits and _")
    if name in modules():
        raise UserError(f"zerosum has a model '{name}' already: choose another name")
    path = Path(f"{name}.py")
    if path.exists():
        raise UserError(f"{path} is there already: choose another name or move it away")
    kind = "new_modality.tmpl" if modality else "new_model.tmpl"
    template = files("zerosum.cli").joinpath(kind).read_text(encoding="utf-8")
    title = "".join(word.capitalize() for word in name.split("_"))
    write_text(path, template.replace("NAME", name).replace("Title", title))
    print(f"wrote {path}. Next:\n  zerosum check {name}\n  zerosum train --module {path}")
