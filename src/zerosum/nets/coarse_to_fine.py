"""The coarse-to-fine generator of pix2pixHD: a global network and one around it at twice the size.

Wang et al. 2018, "High-resolution image synthesis and semantic manipulation with conditional
GANs", arXiv:1711.11585, section 3.2 and appendix A.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from zerosum.nets.translate import initialise
from zerosum.nets.translator import Residual, ResidualTranslator


class CoarseToFine(nn.Module):
    """Inputs (B, before, H, W) to pictures (B, after, H, W) in [-1, 1].

    G1 sees the input at half the size. G2 halves the whole input, adds the maps that G1 has before
    its last layer, and goes on at full size.

    Attributes:
        step: Sides must be multiples of it.
        coarse: G1, a picture of its own at half the size.
    """

    def __init__(
        self,
        before: int,
        after: int,
        *,
        width: int = 32,
        blocks: int = 9,
        halvings: int = 4,
        fine_blocks: int = 3,
    ) -> None:
        """Build the layers.

        Args:
            before: Channels in.
            after: Channels out.
            width: Feature maps of G2 at full size; G1 has twice as many.
            blocks: Residual blocks of G1.
            halvings: How often G1 halves what it sees.
            fine_blocks: Residual blocks of G2.
        """
        super().__init__()
        self.step = 2 ** (halvings + 1)
        self.coarse = ResidualTranslator(
            before, after, width=2 * width, blocks=blocks, halvings=halvings
        )

        def block(*layers: nn.Module, maps: int) -> nn.Sequential:
            return nn.Sequential(*layers, nn.InstanceNorm2d(maps, affine=True), nn.ReLU())

        self.down = nn.Sequential(
            block(nn.Conv2d(before, width, 7, 1, 3, padding_mode="reflect"), maps=width),
            block(nn.Conv2d(width, 2 * width, 3, 2, 1), maps=2 * width),
        )
        self.up = nn.Sequential(
            *[Residual(2 * width, "instance") for _ in range(fine_blocks)],
            block(nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1), maps=width),
            nn.Conv2d(width, after, 7, 1, 3, padding_mode="reflect"),
            nn.Tanh(),
        )
        self.down.apply(initialise)
        self.up.apply(initialise)

    def forward(self, given: Tensor) -> Tensor:
        maps = halved(given)
        for part in self.coarse.encoder:
            maps = part(maps)
        for part in list(self.coarse.decoder)[:-2]:  # all but the last convolution and its tanh
            maps = part(maps)
        return self.up(self.down(given) + maps)


def halved(pictures: Tensor) -> Tensor:
    """Pictures (B, C, H, W) at half the size, averaged (authors' code)."""
    return avg_pool2d(pictures, 3, 2, 1, count_include_pad=False)
