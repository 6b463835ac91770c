"""Human studies: do people tell generated images from real ones?

Zhou, Gordon, Krishna, Narcomey, Fei-Fei and Bernstein 2019, "HYPE: A Benchmark for Human eYe
Perceptual Evaluation of Generative Models", arXiv:1904.01121.
"""

from zerosum.pipelines.study.make import make
from zerosum.pipelines.study.score import Outcome, score
from zerosum.pipelines.study.serve import Server

__all__ = ["Outcome", "Server", "make", "score"]
