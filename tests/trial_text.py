"""The text of a small trial, from which tests make others."""

from __future__ import annotations

from pathlib import Path

from pkmodel.simulate import read_trial
from pkmodel.simulate.record import Trial

TEXT = """
title = "Small"
seed = 5
lloq = 50

[units]
time = "h"
amount = "ug"
concentration = "pg/mL"

[groups.infants]
n = 20
age = [0.1, 1]
regimen = "all"
sampling = "all"

[groups.children]
n = 20
age = [2, 7]
regimen = "all"
sampling = "all"

[regimens.all]
days = 7
steps = [{ day = 1, dose = 15, unit = "ug/m2/day", cap = 28 }]

[samplings.all]
hours = [48, 96, 144]
after_stop = [1, 4, 12]

[model]
structure = "one_compartment"

[model.parameters]
CL = "cl * BSA"
V = "v * BSA"

[theta]
cl = 0.9
v = 3

[omega]
CL = 0.07
V = 0.04

[residual]
proportional = 0.2
"""


def edited(changes: dict[str, str]) -> str:
    """Return the text with some passages replaced; each must be there."""
    text = TEXT
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def trial_of(folder: Path, changes: dict[str, str] | None = None) -> Trial:
    """Write an edited trial to a file and read it."""
    path = folder / "trial.toml"
    path.write_text(edited(changes or {}))
    return read_trial(path)
