"""Virtual trials: people, regimens and samples as data, simulated from a model that is known."""

from __future__ import annotations

from pkmodel.simulate.plan import plan_trial
from pkmodel.simulate.reading import read_trial
from pkmodel.simulate.trial import simulate_trial

__all__ = ["plan_trial", "read_trial", "simulate_trial"]
