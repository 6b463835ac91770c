"""README and docs stay true: Python blocks run, commands parse, links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = [ROOT / "README.md", ROOT / "docs/guide/python.md"]


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def commands() -> list[tuple[str, str]]:
    """Each zerosum command of each page, without its comment."""
    found = []
    for page in PAGES:
        lines = "\n".join(blocks(page, "") + blocks(page, "bash")).splitlines()
        for line in lines:
            for part in line.split("&&"):
                text = part.split(" #")[0].strip().removeprefix(".venv/bin/")
                text = re.sub(r"^torchrun .*-m (?=zerosum)", "", text)
                if text.startswith("zerosum ") and "..." not in text and "[" not in text[:24]:
                    found.append((page.name, text))
    return found


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_python_blocks_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("page", "text"), commands())
def test_commands_parse_and_name_what_exists(page, text):
    from zerosum.cli.main import app
    from zerosum.cli.train import _recipe

    group = typer.main.get_command(app)
    name, *words = shlex.split(text)[1:]
    command = group.get_command(group.make_context("zerosum", [name]), name)
    assert command is not None, f"{page}: {text}"
    context = command.make_context(name, words)
    if name == "train" and not context.params["data"] and not context.params["module"]:
        given = context.params["what"]
        if given and not given[0].isupper():
            _recipe(given, None, False, None)


def test_each_picture_of_the_gallery_has_its_command_below():
    page = ROOT / "docs/gallery.md"
    parts = re.split(r"^!\[", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(parts) >= 7
    for part in parts:
        assert re.search(r"^```\nzerosum train [a-z0-9_]+/[a-z0-9-]+ ", part, re.MULTILINE), part


def test_readme_and_pages_name_every_system():
    from zerosum.core.registry import modules

    linked = set(re.findall(r"docs/models/(\w+)\.md", (ROOT / "README.md").read_text()))
    pages = {page.stem for page in (ROOT / "docs/models").glob("*.md")}
    assert linked == pages == set(modules())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
