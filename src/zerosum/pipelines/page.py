"""Pages that pipelines write: one HTML file, filled from the template beside the code."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape


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
