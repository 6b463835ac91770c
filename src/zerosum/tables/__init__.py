"""Tables in Python, as scikit-learn has it: fit a data frame, sample, save, load.

    from zerosum.tables import Synthesizer

    model = Synthesizer("ctgan/adult").fit(people)
    made = model.sample(1000, where={"income": ">50K"})
    model.save("people-model")

What trains is the house's trainer, what samples is `zerosum.load`; this joins them.
"""

from zerosum.tables.synthesizer import Synthesizer

__all__ = ["Synthesizer"]
