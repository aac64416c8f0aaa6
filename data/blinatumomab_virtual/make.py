"""Make the virtual cohorts anew: the table, the true parameters, and their birth certificate.

Run as ``python data/blinatumomab_virtual/make.py``; the same seed gives the same files.
"""

from __future__ import annotations

from hashlib import sha256
from math import log
from pathlib import Path

import pandas as pd

from pkmodel.simulate import read_trial, simulate_trial
from pkmodel.simulate.output import write_table
from pkmodel.simulate.trial import SimulatedTrial

FOLDER = Path(__file__).parent
TRIAL = "blinatumomab_cohorts.toml"
TABLE = "blinatumomab_virtual.csv"
SUBJECTS = "true_parameters.csv"

INFANT_DOSE = 625.0
"""15 ug/m2/day in ng/h/m2."""

ORIGIN = (
    "Simulated by make.py in this folder from {trial}, seed {seed}; nobody was measured. The "
    "infants' clearance is set so that their steady-state concentration has the published mean "
    "and SD, see README.md."
)

SOURCE = """\
title = "Virtual blinatumomab cohorts: infants, and children of 2-6 and 7-17 years"
file = "{table}"
sha256 = "{table_digest}"
origin = "{origin}"
licence = "Made for this project, under its licence"
kind = "virtual"
units = {{ time = "h", amount = "ug", concentration = "pg/mL" }}

[files]
"{subjects}" = "{subjects_digest}"

[counts]
subjects = {n_subjects}
observations = {n_observations}
doses = {n_doses}

[columns]
AGE = "age at the start of the infusion, years"
SEX = "1 male, 0 female"
WT = "weight, kg"
HT = "height or length, cm"
BSA = "body surface area by Mosteller from WT and HT, m2"
GROUP = "1 infants, 2 children 2 to 6 years, 3 children 7 to 17 years"
VIRTUAL = "1: simulated"
"""

TRUTH = """\
# What is true of the virtual cohorts; {subjects} has CL and V of each subject.
trial = "{trial}"
seed = {seed}

# cl in L/h/m2 and v in L/m2, the same in every group; variances of log CL and log V; SD of a sample
# over its prediction
[parameters]
cl = {cl:g}
v = {v:g}
omega_cl = {omega_cl:g}
omega_v = {omega_v:g}
proportional = {proportional:g}

# Of geometric means, of each other group to children of 7 to 17 years
[ratio]
CL_BSA = 1.0
CSS_DN = 1.0
V_BSA = 1.0
HALF_LIFE = 1.0

# Geometric means that follow: 625 ng/h/m2 / cl in pg/mL, ln 2 v / cl in h
[infants]
css = {css:.1f}
half_life = {half_life:.3f}
"""


def make(folder: Path = FOLDER) -> None:
    """Write the table, the true parameters, source.toml and truth.toml into a folder."""
    simulated = simulate_trial(read_trial(FOLDER / TRIAL))
    write_table(simulated.table, folder / TABLE)
    _true_parameters(simulated).to_csv(
        folder / SUBJECTS, index=False, float_format="%.6g", lineterminator="\n"
    )
    (folder / "source.toml").write_text(_source(simulated, folder), encoding="utf-8")
    (folder / "truth.toml").write_text(_truth(simulated), encoding="utf-8")


def _true_parameters(simulated: SimulatedTrial) -> pd.DataFrame:
    return simulated.subjects[["ID", "GROUP", "BSA", "CL", "V"]].assign(VIRTUAL=1)


def _source(simulated: SimulatedTrial, folder: Path) -> str:
    evid = simulated.table["EVID"]
    return SOURCE.format(
        origin=ORIGIN.format(trial=TRIAL, seed=simulated.seed),
        table=TABLE,
        table_digest=sha256((folder / TABLE).read_bytes()).hexdigest(),
        subjects=SUBJECTS,
        subjects_digest=sha256((folder / SUBJECTS).read_bytes()).hexdigest(),
        n_subjects=len(simulated.subjects),
        n_observations=int((evid == 0).sum()),
        n_doses=int((evid == 1).sum()),
    )


def _truth(simulated: SimulatedTrial) -> str:
    model = simulated.trial.model
    theta = {entry.name: entry.init for entry in model.theta}
    omega = {block.parameters[0]: block.matrix[0][0] for block in model.omega}
    return TRUTH.format(
        subjects=SUBJECTS,
        trial=TRIAL,
        seed=simulated.seed,
        cl=theta["cl"],
        v=theta["v"],
        omega_cl=omega["CL"],
        omega_v=omega["V"],
        proportional=model.residual.sigmas[0].init,
        css=INFANT_DOSE / theta["cl"],
        half_life=log(2.0) * theta["v"] / theta["cl"],
    )


if __name__ == "__main__":
    make()
