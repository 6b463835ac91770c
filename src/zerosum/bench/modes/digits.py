"""Stacked MNIST: three digits as the colour channels of one image, 1,000 modes.

Metz et al. 2017 (arXiv:1611.02163, section 3.3.1); the set of 128,000 triples and the 26,000
samples are VEEGAN's (Srivastava et al. 2017). Which mode a sample shows is told by a classifier
of digits, applied to each channel. Both papers' classifiers differ from ours, as does every
reproduction's: compare rows of one table.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zerosum.bench.modes.measure import Coverage, coverage
from zerosum.bench.modes.stack import Streams
from zerosum.bench.modes.suites import Suite
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.images import Images
from zerosum.modalities.images.named import cache
from zerosum.training.checkpoint import save_tensors

TRIPLES = 128_000
RECIPE = "conv32-conv64-dense128, Adam one cycle 2e-3, batch 128, shifts of 1 pixel, seed 0, v1"
EPOCHS = 3
NEEDED = 0.99
TRIED = 5_000  # real triples whose true modes are compared with the classifier's
CHUNK = 100  # triples at a time: intermediate results stay in the processor's cache


class StackedDigits(Suite):
    """Triples of MNIST images, of the training and the test part together.

    Attributes:
        accuracy: Of the classifier on the 10,000 test digits.
        confusion: Share of the oracle's triples that it puts into another mode.
    """

    samples: int = 26_000
    draws: int = 2
    modes = 1_000

    def __init__(self, device: torch.device) -> None:
        split = Images(path="mnist").open()
        assert isinstance(split.train, Source) and split.heldout is not None
        train, test = (part.fetch(range(len(part))) for part in (split.train, split.heldout))
        self.images = torch.cat([train["image"], test["image"]])  # uint8 (70000, 1, 28, 28)
        self.labels = torch.cat([train["label"], test["label"]])
        self.shape = (3, *self.images.shape[2:])
        self.classifier, self.accuracy = classifier(self.images, self.labels, len(train["label"]))
        digit = self.labels.bincount().double() / len(self.labels)
        self.law = torch.einsum("i,j,k->ijk", digit, digit, digit).flatten()
        rng = torch.Generator().manual_seed(0)
        self._triples = torch.randint(len(self.images), (TRIPLES, 3), generator=rng).to(device)
        self._images = self.images.to(device)
        self.confusion = float("nan")

    def draw(self, streams: Streams, rows: int) -> Tensor:
        return self._pictures(self._triples[streams.integers(TRIPLES, rows)])

    def oracle(self, rng: torch.Generator) -> Tensor:
        numbers = torch.randint(len(self.images), (self.samples, 3), generator=rng)
        pictures = self._pictures(numbers.to(self._images.device)).cpu()
        found, true = self._modes_of(pictures[:TRIED]), self._mode(self.labels[numbers[:TRIED]])
        self.confusion = float((found != true).double().mean())
        return pictures

    def judge(self, samples: Tensor) -> Coverage:
        counts = self._modes_of(samples.clamp(-1, 1)).bincount(minlength=self.modes)
        return coverage(counts, len(samples), self.law, graded=False)

    def note(self) -> str:
        sampling = (self.modes - 1) / (2 * self.samples)
        uneven = float((self.law * (self.law * self.modes).log()).sum())
        return (
            f"expected of a perfect sampler: 1,000 modes, KL from uniform {sampling + uneven:.4f} "
            f"(sampling {sampling:.4f} + uneven digits {uneven:.4f}), KL from the data's law "
            f"{sampling:.4f}; our classifier is right on {100 * self.accuracy:.2f} % of test "
            f"digits and puts {100 * self.confusion:.2f} % of {TRIED:,} real triples into another "
            "mode"
        )

    def _pictures(self, numbers: Tensor) -> Tensor:
        """Triples of image numbers (N, 3) as pictures (N, 3, 28, 28) in [-1, 1]."""
        return self._images[numbers, 0].float() / 127.5 - 1

    @torch.no_grad()
    def _modes_of(self, pictures: Tensor) -> Tensor:
        digits = [
            self.classifier(part.flatten(0, 1)[:, None]).argmax(1).view(-1, 3)
            for part in pictures.split(CHUNK)
        ]
        return self._mode(torch.cat(digits))

    @staticmethod
    def _mode(digits: Tensor) -> Tensor:
        return digits @ torch.tensor([100, 10, 1])


def network() -> nn.Sequential:
    """Pictures (B, 1, 28, 28) in [-1, 1] to logits of ten digits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 25, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def classifier(images: Tensor, labels: Tensor, train: int) -> tuple[nn.Module, float]:
    """The judge of digits, from the cache or trained in a minute or two.

    Args:
        images: Pictures, uint8 (N, 1, 28, 28).
        labels: Their digits (N,).
        train: How many of them, the first ones, it learns from; the rest tests it.

    Returns:
        The classifier and its accuracy on the rest.

    Raises:
        UserError: It did not learn the digits, so these are not MNIST's.
    """
    path = _kept(images, labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = network()
        if path.is_file():
            net.load_state_dict(load_file(path))
        else:
            _learn(net, images[:train], labels[:train])
    net.eval()
    with torch.no_grad():
        found = [net(_floats(part)).argmax(1) for part in images[train:].split(1_000)]
    accuracy = float((torch.cat(found) == labels[train:]).double().mean())
    if accuracy < NEEDED:
        raise UserError(
            f"the classifier of digits reaches {100 * accuracy:.1f} % on the test part, not "
            f"{100 * NEEDED:.0f} %: see that the set mnist is MNIST, and remove {path}"
        )
    if not path.is_file():
        with atomic(path) as partial:
            save_tensors(net.state_dict(), partial)
    return net, accuracy


def _learn(net: nn.Module, images: Tensor, labels: Tensor) -> None:
    batch, count = 128, len(labels)
    steps = EPOCHS * (count // batch)
    adam = torch.optim.Adam(net.parameters())
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, 2e-3, total_steps=steps)
    for _ in range(EPOCHS):
        order = torch.randperm(count)[: count // batch * batch].view(-1, batch)
        for rows in order:
            shift = torch.randint(-1, 2, (2,)).tolist()  # one move for the whole batch is enough
            pictures = _floats(images[rows]).roll(shift, (2, 3))
            loss = cross_entropy(net(pictures), labels[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
            pace.step()


def _floats(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _kept(images: Tensor, labels: Tensor) -> Path:
    """Where the classifier of exactly these digits and this recipe is kept."""
    digest = hashlib.sha256(f"{RECIPE}, {EPOCHS} epochs".encode())
    digest.update(images.numpy().tobytes())
    digest.update(labels.numpy().tobytes())
    return cache() / "bench" / f"mnist-classifier-{digest.hexdigest()[:16]}.safetensors"
