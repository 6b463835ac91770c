"""`zerosum new`: a file to start an own GAN from."""

from __future__ import annotations

import sys
from importlib.resources import files
from keyword import iskeyword
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
    if iskeyword(name) or _taken(name):
        raise UserError(
            f"Python, or an installed package, has a word or module '{name}', which {name}.py "
            "would stand in the way of: choose another name"
        )
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


def _taken(name: str) -> bool:
    """Whether a file of that name, in the folder that Python starts in, would hide a module."""
    if name in sys.stdlib_module_names:
        return True
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        # One without an origin is a folder that only happens to be called so.
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent.resolve() != Path.cwd()
    return False
