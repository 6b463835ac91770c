"""LatentGAN: an autoencoder of molecules as strings, and a GAN in its codes.

Prykhodko, Johansson, Kotsias, Arús-Pous, Bjerrum, Engkvist and Chen 2019, "A de novo molecular
generation method using latent vector based generative adversarial network",
doi:10.1186/s13321-019-0397-9. First an autoencoder of strings is trained alone; then it rests, and
WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1) learns the law of its codes: a
generator makes codes of noise, the decoder molecules of them.

Deviations: strings are SELFIES, so that any is a molecule (the paper's are SMILES, from random
orders of atoms to canonical ones). The autoencoder is small, learns from the data of the run
alone, and its codes have mean 0 and variance 1 each, with as much noise in training: without, the
decoder reads codes so finely that no generator hits them. Words are the likeliest; `draw=true`
draws them from the decoder's probabilities. No batch normalisation. Samples come from averaged
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm, one_hot

from zerosum.config import Count, Positive, Share, Weight
from zerosum.core.game import Batch, LatentGame, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.core.schedule import Linear
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.layers.relaxed import gumbel
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.molecules import SelfiesMolecules, TokenField
from zerosum.nets.mlp import mlp


def standard(codes: Tensor) -> Tensor:
    """Codes (B, code), each with mean 0 and variance 1."""
    return layer_norm(codes, codes.shape[1:])


class Encoder(nn.Module):
    """One-hot words (B, L, V) to codes (B, code): both directions of a recurrent network."""

    def __init__(self, words: int, width: int, code: int) -> None:
        super().__init__()
        self.read = nn.GRU(words, width, batch_first=True, bidirectional=True)
        self.code = nn.Linear(2 * width, code)

    def forward(self, tokens: Tensor) -> Tensor:
        ends = self.read(tokens)[1]  # (2, B, width)
        return standard(self.code(torch.cat([*ends], 1)))


class Decoder(nn.Module):
    """Codes (B, code) to words, one after the other, each knowing the code and those before."""

    def __init__(self, words: int, width: int, code: int, embedding: int) -> None:
        super().__init__()
        self.words = words
        self.embed = nn.Linear(words, embedding)
        self.begin = nn.Linear(code, width)
        self.write = nn.GRU(embedding + code, width, batch_first=True)
        self.head = nn.Linear(width, words)

    def forward(self, code: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, L, V) of each word after those before it in one-hot words (B, L, V)."""
        before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], 1)
        return self._step(code, before, self.begin(code).tanh()[None])[0]

    def _step(self, code: Tensor, before: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        told = code[:, None].expand(-1, before.shape[1], -1)
        hidden, state = self.write(torch.cat([self.embed(before), told], 2), state)
        return self.head(hidden), state

    def written(self, code: Tensor, length: int, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """One-hot words (B, length, V) of codes; kind 0 from where a molecule ends.

        Args:
            code: (B, code).
            length: Most words.
            choose: From logits (B, V) of a place to numbers of words (B,).
        """
        word = code.new_zeros(code.shape[0], self.words)
        state = self.begin(code).tanh()[None]
        ended = code.new_zeros(code.shape[0], dtype=torch.bool)
        rows: list[Tensor] = []
        for _ in range(length):
            logits, state = self._step(code, word[:, None], state)
            number = choose(logits[:, 0]).masked_fill(ended, 0)
            ended = ended | (number == 0)
            word = one_hot(number, self.words).to(code.dtype)
            rows.append(word)
        return torch.stack(rows, 1)


class LatentGAN(LatentGame):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("tokens",)

        tokens: TokenField = TokenField()
        """The words of the data; taken from them."""
        latent: Count = 64
        """Numbers in the generator's noise."""
        hidden: tuple[Count, ...] = (256, 256, 256, 256)
        """Widths of the generator's hidden layers."""
        critic_hidden: tuple[Count, ...] = (256, 256)
        """Widths of the critic's hidden layers."""
        code: Count = 128
        """Numbers in a molecule's code."""
        reader: Count = 128
        """Numbers in the state of each direction of the encoder."""
        writer: Count = 256
        """Numbers in the decoder's state."""
        embedding: Count = 64
        """Numbers per word in the decoder."""
        blur: Weight = 1.0
        """Standard deviation of the noise on codes, whose own is 1, while the autoencoder
        learns."""
        pretrain: Share = 0.7
        """Share of the run in which the autoencoder learns, alone; then it rests."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""

        def matched(self, spec: DataSpec) -> LatentGAN.Config:
            tokens = spec.fields.get("tokens")
            if not isinstance(tokens, TokenField):
                raise UserError(
                    f"latentgan learns from words of SELFIES, but the data hold "
                    f"{', '.join(spec.fields)}: name a list of SMILES with --data"
                )
            return self.model_copy(update={"tokens": tokens})

    class Options(SampleOptions):
        draw: bool = False
        """Draw each word from its probabilities; false takes the likeliest."""
        temperature: Positive = 1.0
        """Divides the logits of the words that are drawn: below 1 nearer to the likeliest."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if not config.tokens.names:
            raise UserError("latentgan takes its words from the data: name a list of SMILES")
        self.length, words = config.tokens.shape
        self.latent_size, self.blur = config.latent, config.blur
        self.pretrain = config.pretrain
        self.critic_steps, self.penalty = config.critic_steps, config.penalty
        self.objective = OBJECTIVES["wasserstein"]
        self.encoder = Encoder(words, config.reader, config.code)
        self.decoder = Decoder(words, config.writer, config.code, config.embedding)
        self.generator = mlp([config.latent, *config.hidden, config.code])
        self.critic = mlp([config.code, *config.critic_hidden, 1], final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "encoder": [self.encoder],
            "decoder": [self.decoder],
            "critic": [self.critic],
            "generator": [self.generator],
        }

    def turns(self) -> list[Turn]:
        if not self.ready():
            return [Turn(("encoder", "decoder"), self.autoencoder_loss)]
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def ready(self) -> bool:
        return self.progress.seen >= self.pretrain * self.progress.total

    def generators(self) -> list[nn.Module]:
        return [self.generator, self.decoder]

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        """The critic of codes; samples are encoded like real molecules."""
        return {"critic": lambda batch: self.critic(self.encoder(batch["tokens"]))}

    # -- molecules -------------------------------------------------------------------------

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def codes(self, z: Tensor) -> Tensor:
        """Codes of molecules (n, code) that the generator makes of noise (n, latent)."""
        return standard(self.generator(z))

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        """The likeliest words, one after the other."""
        likeliest = self.decoder.written(self.codes(z), self.length, lambda told: told.argmax(1))
        return {"tokens": likeliest}

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        options = self.options
        assert isinstance(options, LatentGAN.Options)
        z = self.latent(n, rng)
        if not options.draw:
            return self.decode(z, condition)

        def drawn(logits: Tensor) -> Tensor:
            return (logits / options.temperature + gumbel(logits, rng)).argmax(1)

        return {"tokens": self.decoder.written(self.codes(z), self.length, drawn)}

    # -- losses ----------------------------------------------------------------------------

    def autoencoder_loss(self, batch: Batch) -> Terms:
        """Cross-entropy of a word, in nats, over the words of the batch and their ends."""
        tokens = batch["tokens"]
        code = self.encoder(tokens)
        logits = self.decoder(code + self.blur * torch.randn_like(code), tokens)
        words = tokens.argmax(2)
        each = cross_entropy(logits.flatten(0, 1), words.flatten(), reduction="none")
        # The first 0 is the end, which is learned; what follows is not.
        there = ((words == 0).cumsum(1) <= 1).flatten()
        return {"reconstruction": (each * there).sum() / there.sum()}

    def critic_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            real = self.encoder(batch["tokens"])
            fake = self.codes(self.latent(len(real)))
        real_logits, fake_logits = self.critic(real), self.critic(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, real, fake),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.codes(self.latent(len(batch["tokens"])))
        return {"adversarial": self.objective.generator(self.critic(fake))}


GAME = Optim(lr=1e-4, betas=(0.0, 0.9))
WGAN_GP = "arXiv:1704.00028, algorithm 1"


def _recipe_optim(end: int) -> dict[str, Optim]:
    """Players of a run whose autoencoder has learned after so many molecules."""
    words = Optim(lr=Linear(start=1e-3, end=1e-4, until=end), betas=(0.9, 0.999))
    return {"encoder": words, "decoder": words, "critic": GAME, "generator": GAME}


SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "moses": Recipe(
        model=LatentGAN.Config(),
        data=SelfiesMolecules(path="moses", limit=50_000),
        optim=_recipe_optim(350_000),
        ema=Averaging(half_life=10_000),
        train=Train(
            examples=500_000,
            batch=128,
            checkpoint_every=100_000,
            sheet_every=100_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(samples=2_000, metrics=("molecules",)),
        about="50,000 molecules of MOSES in half an hour of two cores",
        sources=cite(WGAN_GP, "model.critic_steps", "model.penalty"),
    ),
    "tiny": Recipe(
        model=LatentGAN.Config(
            latent=4,
            hidden=(16, 16),
            critic_hidden=(16,),
            code=8,
            reader=12,
            writer=24,
            embedding=8,
            pretrain=0.5,
            critic_steps=2,
        ),
        data=SelfiesMolecules(),
        optim=_recipe_optim(320),
        ema=Averaging(half_life=16),
        train=Train(examples=640, batch=16),
        evaluate=Evaluate(samples=64),
        about="seconds on a CPU, for tests",
    ),
}
