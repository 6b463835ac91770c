"""The loop: data, clock, schedules, averaging, records, evaluation, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from zerosum.core.ema import EMA
from zerosum.core.engine import play_step
from zerosum.core.game import Game, Progress
from zerosum.core.optim import build_optimizers
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, runtime_of
from zerosum.core.registry import recipe as find_recipe
from zerosum.core.runtime import Runtime, without_denormals
from zerosum.data.codec import Codec, read_codec
from zerosum.data.feed import Feed, feed
from zerosum.data.source import Examples, MutableSource, Split
from zerosum.data.stream import StreamFeed
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.modalities import modality
from zerosum.names import printable
from zerosum.progress import ProgressBar
from zerosum.training import checkpoint
from zerosum.training.exams import Exams
from zerosum.training.interrupts import Interrupts, Stopped
from zerosum.training.lock import locked
from zerosum.training.machine import machine
from zerosum.training.prepare import prepare
from zerosum.training.recorder import JsonLines, Logger, Recorder
from zerosum.training.run import RunFolder
from zerosum.training.sheets import SheetSeries
from zerosum.training.state import TrainingState, seed_everything
from zerosum.training.transfer import begin_with
from zerosum.training.watch import Alarm, Watch


class Trainer:
    """Trains the game of a recipe into a folder, or goes on with what the folder holds.

    Args:
        recipe: What to train.
        out: Folder of the run.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        loggers: Further listeners beside `log.jsonl`.
        quiet: Show no progress.
        module: Module or file of an outside model.
        ready: Called on every rank with the training examples and the clock, before the first
            step of this call; what it changes in a `MutableSource` is kept by the checkpoints.

    Attributes:
        first: Whether this process is the one that writes and speaks; known after `fit` began.
        notes: Lines to say, and to keep in the run's folder, before those about the data.

    Raises:
        UserError: From `fit`: wrong data, folder, device or disk, in one line.
        Stopped: From `fit`: SIGINT or SIGTERM came; the state is saved.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: str | Path,
        *,
        device: str = "auto",
        loggers: Sequence[Logger] = (),
        quiet: bool = False,
        module: str | None = None,
        ready: Callable[[Examples, Progress], None] | None = None,
    ) -> None:
        self.asked, self.out = recipe, RunFolder(Path(out))
        self.device, self.loggers, self.module = device, list(loggers), module
        self.ready = ready
        self.screen = ProgressBar(quiet, modality.of(recipe.data).noun, transient=False)
        self.first, self.notes = True, list[str]()
        self._interrupts = Interrupts()

    def fit(self) -> Game:
        """Train to the end and write the final pictures.

        Returns:
            The game, in evaluation mode, with its averaged weights.
        """
        runtime = runtime_of(self.asked, self.device, self.module)
        self.first = runtime.first
        self.screen.quiet = self.screen.quiet or not runtime.first
        try:
            runtime = self._as_begun(runtime)
            kept = self._kept_codec(runtime)
            reader = ProgressBar(self.screen.quiet, self.screen.unit, pause=3.0)
            try:
                split, recipe = prepare(
                    self.asked, runtime, kept, lambda done, n: reader("reading", done, n)
                )
            finally:
                reader.close()
            game, begun = self._build_game(recipe, split, runtime)
            with ExitStack() as stack:
                self._claim(recipe, split.codec, runtime, stack)
                self._tell([*self.notes, *split.train.notes, *begun], runtime)
                for line in recipe.warnings:
                    self.screen.note(line)
                stack.enter_context(self._interrupts)
                stack.enter_context(without_denormals())
                return self._train(recipe, split, game, runtime)
        except UserError as error:
            if not runtime.first:  # what rank 0 found is rank 0's to say
                self.screen.say(f"zerosum: rank {runtime.rank}: {error}")
            raise
        finally:
            self.screen.close()
            runtime.close()

    def _train(self, recipe: Recipe, split: Split, game: Game, runtime: Runtime) -> Game:
        state, batches = self._set_up(recipe, split, game, runtime)
        if self.ready is not None:
            self.ready(split.train, game.progress)
        train = recipe.train
        self._sheets = SheetSeries(self.out, game, split, modality.of(recipe.data))
        exams = Exams(recipe, split, state, self.out, self.screen)
        recorder = Recorder(self._loggers(exams.known, runtime), runtime)
        watch = Watch(recipe, split, state, self.out, self.screen, exams.known)
        clip = {name: o.clip for name, o in recipe.optim.items() if o.clip is not None}
        if not game.progress.step:
            self._sheet(state, recorder)
        watch.welcome(batches.position)
        self.screen.start("training", game.progress.seen, train.examples)
        begun, before, skipped = time.monotonic(), state.elapsed, 0
        try:
            while game.progress.seen < train.examples and not exams.hopeless:
                for name, optim in recipe.optim.items():
                    optimizer, factor = state.optimizers[name], watch.factor(name)
                    optim.advance(optimizer, game.progress, factor)
                now = game.progress.after(train.batch)
                watch.before_step(now)
                log = play_step(
                    game,
                    batches,
                    state.optimizers,
                    runtime,
                    clip,
                    train.order,
                    watch.turns(),
                )
                game.progress = now
                self._feed_back(game, split, runtime)
                state.ema.update(train.batch, now)
                recorder.add(log, game.signals)
                alarm = watch.after_step(log, batches.position)
                skipped = self._guard(log, skipped, train.patience, now)
                state.elapsed = before + time.monotonic() - begun
                self.screen.advance(now.seen)
                self._due_records(recipe, state, recorder, exams, batches.position)
                stop = self._interrupts.asked(runtime, now.step)
                if stop or alarm or _due(train.checkpoint_every, now, train.batch):
                    state.save(self.out.checkpoints, batches.position, train.keep)
                if stop:
                    raise Stopped(stop)
                if alarm and not runtime.first:  # rank 0 says it
                    raise SystemExit(2)
                if alarm:
                    raise Alarm(f"stopped, the state is saved: {alarm}")
            self._flush(state, recorder)
            self.screen.close()
            return self._finish(recipe, state, batches.position, recorder, exams)
        finally:
            self.screen.close()
            batches.close()
            recorder.close()

    # -- setting up ------------------------------------------------------------------------

    def _as_begun(self, runtime: Runtime) -> Runtime:
        """With the precision that the run began with: `auto` decides once."""
        if self.asked.train.precision != "auto":
            return runtime
        begun = self.out.read_machine().get("precision") if runtime.first else None
        begun = runtime.share(begun)
        return replace(runtime, precision=begun) if begun in ("fp32", "bf16") else runtime

    def _kept_codec(self, runtime: Runtime) -> Codec | None:
        """The codec of the run that is to go on, on every rank; None for a new one."""
        kept, refusal, kind = None, "", type(self.asked.data).codec
        if runtime.first:
            try:
                self.out.check_place()
                if self.out.recipe.is_file():
                    self.out.read(self.asked)  # refuses another system's run
                kept = read_codec(kind, self.out.path)
            except UserError as error:
                refusal = str(error)
        runtime.agree(refusal)
        state = runtime.share(None if kept is None else kept.state())
        return kept if state is None or runtime.first else kind.from_state(*state)

    def _claim(self, recipe: Recipe, codec: Codec, runtime: Runtime, stack: ExitStack) -> None:
        """Take and lock the folder on rank 0; every rank learns of a refusal."""
        refusal = ""
        if runtime.first:
            try:
                self.out.check(recipe)
                stack.enter_context(locked(self.out.path))
                self.out.claim(recipe, codec, machine(runtime))
            except UserError as error:
                refusal = str(error)
        runtime.agree(refusal)

    def _tell(self, notes: Sequence[str], runtime: Runtime) -> None:
        """Say how the data were read, and keep it where --quiet cannot hide it."""
        for line in notes:
            self.screen.note(line)
        if runtime.first and notes:
            write_text(self.out.notes, "".join(f"{printable(line)}\n" for line in notes))

    def _build_game(
        self, recipe: Recipe, split: Split, runtime: Runtime
    ) -> tuple[Game, list[str]]:
        """The game, the same on every rank, and what is to be said of the weights that it begins
        with. A recipe that cannot be played ends here."""
        seed_everything(recipe.train.seed)
        game = build_game(recipe, self.module).to(runtime.device)
        if set(game.players()) != set(recipe.optim):
            raise UserError(
                f"{recipe.system} has the players {', '.join(game.players())}, but the recipe has "
                f"optimizers for {', '.join(recipe.optim)}: give optim one entry per player"
            )
        game.learn_from(split)
        begun: list[str] = []
        if recipe.train.start and not checkpoint.checkpoints(self.out.checkpoints):
            begun.append(begin_with(game, recipe.train.start))
        if recipe.train.channels_last:
            game.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        runtime.broadcast(game)
        return game, begun

    def _set_up(
        self, recipe: Recipe, split: Split, game: Game, runtime: Runtime
    ) -> tuple[TrainingState, Feed | StreamFeed]:
        """Optimizers, averages and batches, as they were when the run stopped."""
        train, players = recipe.train, game.players()
        optimizers = build_optimizers(recipe.optim, players)
        ema = EMA(game, recipe.ema.half_life, recipe.ema.ramp)
        state = TrainingState(game, optimizers, ema, runtime, split.train, split.codec.hash)
        batches = feed(
            split.train,
            batch=train.batch // runtime.world,
            seed=train.seed,
            rank=runtime.rank,
            world=runtime.world,
            workers=recipe.data.workers,
            device=runtime.device,
        )
        game.progress = Progress(0, 0, train.examples)
        if runtime.rank:
            seed_everything(train.seed + 1_000_003 * runtime.rank)
        self._resume(state, batches, train.examples)
        if train.compile:
            runtime.compile(module for modules in players.values() for module in modules)
        return state, batches

    def _resume(self, state: TrainingState, batches: Feed | StreamFeed, total: int) -> None:
        """Go on from the newest whole checkpoint, if there is one."""
        newest, complaints = None, []
        if state.runtime.first:
            newest, complaints = checkpoint.latest(self.out.checkpoints)
        newest = state.runtime.share(newest)
        cure = f"using {newest.name}" if newest else "none is whole, the run starts anew"
        for line in complaints:
            self.screen.say(f"{line}: {cure}")
        if newest is None:
            return
        batches.position = state.restore(checkpoint.load(newest), total)
        seen = state.game.progress.seen
        if state.runtime.first and seen >= total:
            self.screen.say(f"{self.out.path} is trained to its end: nothing left to do")
        elif state.runtime.first:
            self.screen.say(f"going on from {newest.name}, {seen:,} {self.screen.unit}")

    def _loggers(self, known: int, runtime: Runtime) -> list[Logger]:
        """Who listens; records beyond a point of the clock are forgotten, to be written again."""
        if not runtime.first:
            return []
        for sheet in self.out.sheets.glob("seen_*.png"):
            if int(sheet.stem.removeprefix("seen_")) > known:
                sheet.unlink()
        return [JsonLines(self.out.log, known), *self.loggers]

    # -- while it runs ---------------------------------------------------------------------

    def _due_records(
        self,
        recipe: Recipe,
        state: TrainingState,
        recorder: Recorder,
        exams: Exams,
        position: int,
    ) -> None:
        train, now = recipe.train, state.game.progress
        if _due(train.log_every, now, train.batch):
            self._flush(state, recorder)
        if _due(train.sheet_every, now, train.batch) and now.seen < train.examples:
            self._sheet(state, recorder)
        every = recipe.evaluate.every
        if every and _due(every, now, train.batch) and now.seen < train.examples:
            exams.take(position)

    def _flush(self, state: TrainingState, recorder: Recorder) -> None:
        now = state.game.progress
        pace = {"examples_per_second": self.screen.rate(now.seen), "seconds": state.elapsed}
        recorder.flush(now, pace)

    def _sheet(self, state: TrainingState, recorder: Recorder) -> None:
        if state.runtime.first:
            progress = state.game.progress
            with state.ema.applied():
                path = self._sheets.frame(progress)
            recorder.picture("samples", path, progress)

    def _feed_back(self, game: Game, split: Split, runtime: Runtime) -> None:
        """Let a source that takes samples have those that the game offers, of all ranks."""
        if not isinstance(split.train, MutableSource):
            return
        for offered in runtime.gather(game.offers() or ()):
            if offered:
                split.train.admit(*offered)

    def _guard(
        self, log: dict[str, torch.Tensor], skipped: int, patience: int, now: Progress
    ) -> int:
        """Count steps in a row in which a player could not move."""
        names = [n for n, v in log.items() if n.endswith("/skipped") and bool(v)]
        if not names:
            return 0
        if skipped + 1 >= patience:
            players = [name.removesuffix("/skipped") for name in names]
            raise UserError(
                f"{patience} steps in a row without a finite gradient of {', '.join(players)} at "
                f"{now.seen:,} examples; the last checkpoint is from before. Lower the learning "
                f"rate (optim.{players[0].split('+')[0]}.lr) or clip its gradient"
            )
        return skipped + 1

    def _finish(
        self,
        recipe: Recipe,
        state: TrainingState,
        position: int,
        recorder: Recorder,
        exams: Exams,
    ) -> Game:
        """The last checkpoint, scores and pictures."""
        if exams.hopeless:
            position = exams.back_to_best(position)
        state.save(self.out.checkpoints, position, recipe.train.keep)
        if not exams.hopeless:
            exams.take_last(position)
        if state.runtime.first:
            self._sheet(state, recorder)
            self._sheets.finish()
        state.ema.keep()
        return state.game.eval()


def _due(every: int, now: Progress, batch: int) -> bool:
    """Whether the last step crossed a multiple of an interval in examples."""
    return now.seen // every > (now.seen - batch) // every


def train(
    recipe: Recipe | str,
    out: str | Path,
    *,
    device: str = "auto",
    loggers: Sequence[Logger] = (),
    quiet: bool = False,
) -> Game:
    """Train a recipe into a folder; the same call again goes on where it stopped.

    Args:
        recipe: A recipe, or a preset's name such as `dcgan/fashion`.
        out: Folder of the run.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        loggers: Further listeners beside `log.jsonl`.
        quiet: Show no progress.

    Returns:
        The trained game, in evaluation mode, with its averaged weights.
    """
    chosen = find_recipe(recipe) if isinstance(recipe, str) else recipe
    return Trainer(chosen, out, device=device, loggers=loggers, quiet=quiet).fit()
