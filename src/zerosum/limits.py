"""Limits of what settings and options may say, beyond which a number cannot be meant."""

LARGEST_SEED = 2**63 - 1
"""Seeds of torch have 64 bits with a sign; a larger one would stand for a smaller one."""
LARGEST_CLOCK = 2**53 - 1
"""Every position on the clock of a run is exact as a float."""
MOST_SEEDS = 1000
"""Repetitions of one comparison."""
