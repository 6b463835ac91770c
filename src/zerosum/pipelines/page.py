"""Pages that pipelines write: one HTML file, filled from the template beside the code."""

from __future__ import annotations

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from PIL import Image


def template(package: str) -> Template:
    """The `page.html.jinja` of a package; what is put in cannot become markup."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def data_address(picture: Image.Image) -> str:
    """A picture as an address that holds its PNG, so that a page needs no other file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
