"""The folder of a run: its paths, who may write into it, and what can be read back."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.core.game import Game, Progress
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, system
from zerosum.data.codec import Codec, read_codec, write_codec
from zerosum.errors import UserError
from zerosum.files import must_be_writable, read_json, write_text
from zerosum.training import checkpoint
from zerosum.training.fitting import fill

CHANGEABLE = (
    *(f"train.{name}" for name in ("checkpoint_every", "keep", "sheet_every", "log_every")),
    *(
        f"evaluate.{name}"
        for name in ("every", "samples", "seed", "features", "metrics", "patience")
    ),
    *(f"doctor.{name}" for name in ("policy", "every", "actions")),
    "data.workers",
)
"""Settings that change no weight: a run may go on with other ones."""
SINGLE = ("best", "good", "start")
"""Folders in a run's that hold one checkpoint each, and can be named in the run's place."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and the right to write there."""

    path: Path

    @classmethod
    def around(cls, path: Path) -> RunFolder:
        """That of a run, or of the run that one of its kept checkpoints (`SINGLE`) lies in."""
        kept = path.name in SINGLE and (path.parent / "recipe.json").is_file()
        return cls(path.parent if kept else path)

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.json"

    @property
    def codec(self) -> Path:
        """What turns users' objects into fields, beside codec.safetensors."""
        return self.path / "codec.json"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def sheets(self) -> Path:
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best score so far, where scores are taken on the way."""
        return self.path / "best"

    @property
    def good(self) -> Path:
        """The last state in which nothing ailed, under the doctor's policy `act`."""
        return self.path / "good"

    @property
    def start(self) -> Path:
        """The state before the first step, under the same policy."""
        return self.path / "start"

    @property
    def checkups(self) -> Path:
        """What the doctor measured."""
        return self.path / "checkups.jsonl"

    @property
    def events(self) -> Path:
        """What the doctor named."""
        return self.path / "events.jsonl"

    @property
    def notes(self) -> Path:
        """What was decided and left out while the data were read, one line each."""
        return self.path / "notes.txt"

    @property
    def machine(self) -> Path:
        return self.path / "machine.json"

    def read_machine(self) -> dict[str, str]:
        """Where the run was trained; empty for runs that did not record it.

        Raises:
            UserError: The record is damaged.
        """
        if not self.machine.is_file():
            return {}
        try:
            found = read_json(self.machine)
            return {str(name): str(value) for name, value in found.items()}
        except (ValueError, AttributeError) as error:
            raise UserError(
                f"{self.machine} is damaged: take it away, and nothing is said of the machine"
            ) from error

    def read_notes(self) -> list[str]:
        """Lines of `notes`; none for runs without."""
        if not self.notes.is_file():
            return []
        return self.notes.read_text(encoding="utf-8").splitlines()

    def check_place(self) -> None:
        """Refuse, before the data are read, a place where no run can be, or files of another kind.

        Raises:
            UserError: It is one.
        """
        if not self.path.exists():
            must_be_writable(self.path, "folder", "--out")
        elif not self.path.is_dir():
            raise UserError(f"{self.path} is a file: name a folder with --out")
        elif not self.recipe.is_file() and any(
            not path.name.startswith(".") for path in self.path.iterdir()
        ):
            raise UserError(f"{self.path} holds files but no run: name an empty folder with --out")

    def check(self, recipe: Recipe) -> None:
        """Refuse a folder that holds something else than an earlier part of this run.

        Raises:
            UserError: Another recipe's run (says what differs), or files of another kind.
        """
        self.check_place()
        if not self.recipe.is_file():
            return
        stored = self.read(recipe)
        differing = {
            path: values
            for path, values in stored.differences(recipe).items()
            if path not in (*CHANGEABLE, "train.examples")
        }
        if stored.train.examples > recipe.train.examples:
            values = (stored.train.examples, recipe.train.examples)
            differing["train.examples (may only grow)"] = values
        if differing:
            listed = ", ".join(f"{p} was {a} and is now {b}" for p, (a, b) in differing.items())
            raise UserError(
                f"{self.path} holds another run: {listed}. Name another folder with --out, "
                "or give the old settings to go on with it"
            )

    def read(self, like: Recipe) -> Recipe:
        """The stored recipe, read as one of the same system as `like`.

        Raises:
            UserError: It is damaged, or that of another system.
        """
        tree, name = self.read_tree("name another folder with --out")
        if name != like.system:
            raise UserError(
                f"{self.path} holds a run of {name}, not of {like.system}: "
                "name another folder with --out"
            )
        return Recipe.from_tree(tree, type(like.model), str(self.recipe))

    def read_tree(self, cure: str = "bring it back") -> tuple[dict[str, Any], str]:
        """What recipe.json holds, and the system that it names.

        Args:
            cure: What to do where it is damaged.

        Raises:
            UserError: It is damaged.
        """
        try:
            tree = read_json(self.recipe)
            name = tree["system"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.recipe} is damaged: {cure}") from error
        if not isinstance(name, str):
            raise UserError(f"{self.recipe} is damaged: {cure}")
        return tree, name

    def claim(self, recipe: Recipe, codec: Codec, machine: Mapping[str, str]) -> None:
        """Store the resolved recipe, the codec, where it is trained, and make the folders.

        The recipe comes first: killed in between, the folder is known as a run's.
        """
        write_text(self.recipe, recipe.to_json())
        if not self.codec.is_file():
            write_codec(codec, self.path)
        self.sheets.mkdir(parents=True, exist_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(self.machine, json.dumps(machine, indent=2) + "\n")


@dataclass(frozen=True)
class SavedRun:
    """What a run's folder holds.

    Attributes:
        game: With its averaged weights, in evaluation mode.
        recipe: What was trained.
        codec: How its data became fields.
        snapshot: Its newest whole checkpoint.
    """

    game: Game
    recipe: Recipe
    codec: Codec
    snapshot: checkpoint.Snapshot

    def unaveraged(self) -> Game:
        """The game with its last weights instead of the averaged ones."""
        fill(self.game, self.snapshot.game | self.snapshot.training["extra"][0], "the checkpoint")
        return self.game


def read_run(path: Path, module: str | None = None) -> SavedRun:
    """The newest whole checkpoint of a run.

    Args:
        path: Folder of a run, or `best`, `good` or `start` in it for the
            checkpoint that is kept there.
        module: Module or file of an outside model.

    Raises:
        UserError: The folder holds no run, or no whole checkpoint yet.
    """
    folder = RunFolder.around(path)
    if not folder.recipe.is_file():
        raise UserError(
            f"{path} is no run: give the folder that `zerosum train --out` wrote, "
            "with recipe.json and checkpoints inside"
        )
    tree, name = folder.read_tree()
    found = system(name, module)
    recipe = Recipe.from_tree(tree, found.game.Config, str(folder.recipe))
    newest, complaints = checkpoint.latest(folder.checkpoints if folder.path == path else path)
    if newest is None:
        if complaints:
            raise UserError(
                f"{path} has no whole checkpoint, {complaints[0]}: bring its files back, or train "
                "it anew"
            )
        raise UserError(f"{path} has no whole checkpoint yet: train it longer first")
    for complaint in complaints:
        print(f"{path}: {complaint}; {newest.name} is used", file=sys.stderr)
    codec = read_codec(type(recipe.data).codec, folder.path)
    if codec is None:
        raise UserError(f"{folder.codec} is missing: bring it back, samples cannot be read else")
    snapshot = checkpoint.load(newest)
    game = build_game(recipe, module)
    fill(game, snapshot.game | snapshot.training["extra"][0], str(path))
    fill(game, snapshot.ema, str(path), whole=False)
    state = snapshot.state
    game.progress = Progress(state["step"], state["seen"], recipe.train.examples)
    return SavedRun(game.eval(), recipe, codec, snapshot)
