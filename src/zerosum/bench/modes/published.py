"""Published figures, beside which ours are printed.

Read from the papers' tables: PacGAN (Lin et al. 2018, arXiv:1712.04086) for its own trainings,
which are ten per row with standard errors; VEEGAN (Srivastava et al. 2017, arXiv:1705.07761)
for its. The plain GAN finds 3.3 of the grid's modes in one paper and 17.3 in the other: networks
and optimizer decide more than the method, so never compare rows of two papers.
"""

from __future__ import annotations

from typing import Final

# suite -> method -> modes, then high quality and reverse KL, or KL for stacked-mnist, by paper
PUBLISHED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "ring": {
        "gan": (
            "6.3 ± 0.5, 98.2 %, KL 0.45 (PacGAN)",
            "1, 99.3 % (VEEGAN)",
        ),
        "pacgan2": ("7.9 ± 0.1, 95.6 %, KL 0.07 (PacGAN)",),
        "pacgan3": ("7.8 ± 0.1, 97.7 %, KL 0.10 (PacGAN)",),
        "pacgan4": ("7.8 ± 0.1, 95.9 %, KL 0.07 (PacGAN)",),
        "unrolled": ("7.6, 35.6 % (VEEGAN)",),
        "veegan": ("8, 52.9 % (VEEGAN)",),
    },
    "grid": {
        "gan": (
            "17.3 ± 0.8, 94.8 %, KL 0.70 (PacGAN)",
            "3.3, 0.5 % (VEEGAN)",
        ),
        "pacgan2": ("23.8 ± 0.7, 91.3 %, KL 0.13 (PacGAN)",),
        "pacgan3": ("24.6 ± 0.4, 94.2 %, KL 0.06 (PacGAN)",),
        "pacgan4": ("24.8 ± 0.2, 93.6 %, KL 0.04 (PacGAN)",),
        "unrolled": ("23.6, 16 % (VEEGAN)",),
        "veegan": ("24.6, 40 % (VEEGAN)",),
    },
    "stacked-mnist": {
        "gan": (
            "78.9 ± 6.5, KL 4.50 (DCGAN in PacGAN)",
            "99, KL 3.40 (DCGAN in VEEGAN)",
        ),
        "pacgan2": ("1000 ± 0, KL 0.06 (PacGAN)",),
        "pacgan3": ("1000 ± 0, KL 0.06 (PacGAN)",),
        "pacgan4": ("1000 ± 0, KL 0.07 (PacGAN)",),
        "unrolled": ("48.7, KL 4.32 (VEEGAN)",),
        "veegan": ("150, KL 2.95 (VEEGAN)",),
        "wgan_gp": ("959, KL 0.73 (later tables, recalled)",),
        "rpgan_r1r2": ("1000, KL 0.078 (R3GAN's ablation, recalled)",),
    },
}


def published(suite: str, method: str) -> str:
    """What papers report for a method on a suite, or a dash."""
    return "; ".join(PUBLISHED.get(suite, {}).get(method, ())) or "-"
