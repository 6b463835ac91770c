"""What `zerosum train --data FOLDER` takes when no system is named: a table, and nothing else.

By the images' size, their number and the device. Whatever the user sets goes before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Size = tuple[int, int]


class ByDevice(NamedTuple):
    """A row of the table of systems.

    Attributes:
        preset: What is trained.
        largest: Pixels of the shorter side, at most: what trains in hours there.
        gamma: Weight of R1 (and R2) at 64 pixels; it grows with the number of pixels.
        least: And is never below.
    """

    preset: str
    largest: int
    gamma: float
    least: float


DEVICES: dict[str, ByDevice] = {
    # gamma of the preset, and of its page's digits at 8 pixels.
    "cpu": ByDevice("rpgan/photos", 64, 10.0, 1.0),
    # Karras et al. 2020, the authors' configuration `auto`: 0.0002 pixels / batch.
    "cuda": ByDevice("stylegan2/photos", 128, 0.0002 * 64**2 / 32, 0.0002),
}
"""Systems by the device's type; another type is a CPU here."""

FEW = 20_000
"""Below so many images to learn from, the critic sees changed ones where it overfits."""
AUGMENTATION: list[Any] = [{"name": "ada", "speed": 100_000}]
"""What changes them, as measured on 300 to 20,000 images by `benchmarks/ada.py`."""


def row(device: str) -> ByDevice:
    """The row of a type of device."""
    return DEVICES.get(device, DEVICES["cpu"])


def chosen(size: Size, images: int, device: str) -> dict[str, Any]:
    """Settings of a recipe, by dotted path.

    Args:
        size: (height, width) of the pictures as they will be learned.
        images: How many there are to learn from.
        device: Its type, such as `cpu` or `cuda`.
    """
    found, pixels = row(device), size[0] * size[1]
    gamma = max(found.gamma * pixels / 64**2, found.least)
    settings: dict[str, Any] = {"model.gamma": float(f"{gamma:.2g}")}
    return settings | ({"remedies": AUGMENTATION} if images < FEW else {})
