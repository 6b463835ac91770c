"""The doctor: signals of a game that is being played, failures that have a name, and remedies."""

from zerosum.doctor.checkup import Checkup, Reference, checkup
from zerosum.doctor.doctor import Doctor
from zerosum.doctor.dynamics import duality_gap, game_spectrum
from zerosum.doctor.event import Event, Failure

__all__ = [
    "Checkup",
    "Doctor",
    "Event",
    "Failure",
    "Reference",
    "checkup",
    "duality_gap",
    "game_spectrum",
]
