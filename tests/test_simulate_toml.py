"""A trial's file: every key is read and used or refused, with its place and what is known."""

from __future__ import annotations

import re

import pytest

from pkmodel.errors import ModelError
from pkmodel.exposure.plateau_rule import PlateauRule
from pkmodel.shipped import shipped_trials
from pkmodel.simulate import read_trial
from pkmodel.simulate.regimen import Bags, Flush, Pauses, Regimen, Sampling, Step
from trial_text import edited, trial_of

EVERY_KEY = {
    "seed = 5": 'seed = 5\nbsa = "haycock"',
    "age = [0.1, 1]": 'age = [1, 12]\nunit = "month"',
    "days = 7": 'days = 28\nbags = { hours = [96, 72], choice = "per bag" }\n'
    "interruptions = [{ day = 3.5, hours = 6 }]\n"
    "random_interruptions = { mean = 0.4, hours = [4, 24] }\n"
    "flush = { hours = 0.5, chance = 0.1 }",
    'steps = [{ day = 1, dose = 15, unit = "ug/m2/day", cap = 28 }]': """steps = [
  { day = 8, dose = 12, unit = "ug/m2/day", cap = 24, weight = [0, 45] },
  { day = 1, dose = 240, unit = "ng/kg/h", weight = [0, 45] },
  { day = 1, dose = 12, unit = "ug/day", weight = [45, inf] },
]""",
    "hours = [48, 96, 144]": "hours = [48, 96, 144]\nspread = 3",
    "[model]": "[plan]\nreference = 'infants'\nmetric = 'CSS'\nmargin = [0.7, 1.43]\nsettle = 24\n"
    "\n[model]",
}


def test_every_key_reaches_the_trial(tmp_path):
    trial = trial_of(tmp_path, EVERY_KEY)
    assert (trial.title, trial.seed, trial.bsa, trial.lloq) == ("Small", 5, "haycock", 50)
    assert [group.name for group in trial.groups] == ["infants", "children"]
    infants, children = trial.groups
    assert (infants.n, children.age) == (20, (2, 7))
    assert infants.age == pytest.approx((1 / 12, 1))
    assert infants.sampling == Sampling((48, 96, 144), 3.0, (1, 4, 12))
    first, heavy, second = infants.regimen.steps
    assert first == Step(0, 0.24, "kg", weight=(0, 45))
    assert heavy == Step(0, 0.5, "", weight=(45, float("inf")))
    assert second == Step(168, 0.5, "m2", 1.0, (0, 45))
    assert infants.regimen == Regimen(
        672,
        (first, heavy, second),
        Bags((96, 72), "per bag"),
        Pauses(((60, 6),), 0.4, (4, 24)),
        Flush(0.5, 0.1),
    )
    assert trial.goal.reference == "infants"
    assert (trial.goal.metric, trial.goal.margin.pair) == ("CSS", (0.7, 1.43))
    assert trial.goal.rule == PlateauRule(24)


def test_what_is_not_said_takes_its_default(tmp_path):
    trial = trial_of(tmp_path, {"seed = 5": "", "lloq = 50": "", 'title = "Small"': ""})
    assert (trial.title, trial.seed, trial.bsa, trial.lloq) == ("trial", 1, "mosteller", None)
    assert trial.goal.reference == "children"
    assert (trial.goal.metric, trial.goal.margin.pair) == ("CL_BSA", (0.8, 1.25))
    assert trial.groups[0].regimen.steps[0].cap == pytest.approx(28 / 24)


STEP = 'steps = [{ day = 1, dose = 15, unit = "ug/m2/day", cap = 28 }]'


def _steps(*steps):
    return {STEP: f"steps = [{', '.join(steps)}]"}


FAULTS = [
    ({"seed = 5": "sed = 5"}, "unknown key sed (did you mean `seed`? known: title, seed"),
    ({"n = 20\nage = [0": "n = 0\nage = [0"}, "[groups] infants n: expected a whole number of peo"),
    ({"n = 20\nage = [0": "n = 2.5\nage = [0"}, "[groups] infants n: expected a whole number"),
    (
        {"age = [2, 7]": "age = [2, 7]\nages = 1"},
        "[groups] children: unknown key ages (did you mean `a",
    ),
    ({"age = [2, 7]": "age = [7, 2]"}, "[groups] children age: expected [lower, upper] with 0 <="),
    ({"age = [2, 7]": "age = [2, 19]"}, "[groups] children age: expected [lower, upper] with"),
    ({"age = [2, 7]": "age = [2]"}, "[groups] children age: expected [lower, upper]"),
    (
        {"age = [2, 7]": "age = [2, 2.001]"},
        "[groups] children age: the range is shorter than a day",
    ),
    (
        {"age = [2, 7]": "age = [2, 7]\nunit = 'years'"},
        "[groups] children unit: the text 'years' is not known (did you mean `year`? known: year",
    ),
    (
        {
            'age = [2, 7]\nregimen = "all"': 'age = [2, 7]\nregimen = "al"',
        },
        "[groups] children regimen: no regimen 'al' (did you mean `all`? regimens: all)",
    ),
    (
        {"[samplings.all]": "[samplings.other]\nhours = [48]\n\n[samplings.all]"},
        "[samplings] other: no group uses this sampling",
    ),
    (
        {"[regimens.all]": "[regimens.other]\ndays = 3\n" + STEP + "\n\n[regimens.all]"},
        "[regimens] other: no group uses this regimen",
    ),
    ({STEP: "steps = []"}, "[regimens] all steps: expected an array of a table such as { day = 1"),
    ({STEP: ""}, "[regimens] all steps: missing; expected an array of a table such as { day = 1"),
    ({"dose = 15": "dose = -15"}, "[regimens] all steps entry 1 dose: expected a positive dose"),
    (
        {"ug/m2/day": "ug/m3/day"},
        "[regimens] all steps entry 1 unit: 'ug/m3/day' is no unit of doses",
    ),
    (
        {"ug/m2/day": "ug/m2/kg"},
        "[regimens] all steps entry 1 unit: 'ug/m2/kg' is not an amount per",
    ),
    ({"ug/m2/day": "mmol/m2/day"}, "is not an amount per time of the kind of ug/h"),
    ({"ug/m2/day": "ugg/m2/day"}, "[regimens] all steps entry 1 unit: 'ugg' is an unknown unit"),
    ({"ug/m2/day": "ug/day"}, "[regimens] all steps entry 1 cap: a flat dose needs no cap"),
    ({"day = 1,": "day = 0,"}, "[regimens] all steps entry 1 day: expected the day it begins"),
    (
        {"day = 1,": "day = 2,"},
        "[regimens] all steps: no step begins on day 1 for weights from 0 kg",
    ),
    (
        _steps('{ day = 1, dose = 9, unit = "ug/day", weight = [0, 45] }'),
        "[regimens] all steps: no step begins on day 1 for weights from 45 kg on",
    ),
    (
        _steps(
            '{ day = 1, dose = 9, unit = "ug/day", weight = [0, 45] }',
            '{ day = 1, dose = 9, unit = "ug/day", weight = [40, inf] }',
        ),
        "[regimens] all steps: two steps begin on day 1 for a weight of 40 kg",
    ),
    (
        _steps('{ day = 1, dose = 9, unit = "ug/day", weight = [45] }'),
        "[regimens] all steps entry 1 weight: expected [lower, upper] in kg with 0 <= lower",
    ),
    (
        {"days = 7": "days = 7\nbags = { hours = [] }"},
        "[regimens] all bags hours: expected lengths",
    ),
    (
        {"days = 7": "days = 7\nbags = { hours = [0] }"},
        "[regimens] all bags hours entry 1: expected",
    ),
    (
        {"days = 7": 'days = 7\nbags = { hours = [24], choice = "random" }'},
        "[regimens] all bags choice: the text 'random' is not known (known: in turn, per subject",
    ),
    (
        {"days = 7": "days = 7\nflush = { hours = 1, chance = 0.1 }"},
        "[regimens] all flush: there are no changes of bags: bags is not given",
    ),
    (
        {"days = 7": "days = 7\ninterruptions = [{ day = 9, hours = 6 }]"},
        "[regimens] all interruptions entry 1 day: begins after the infusion, which ends with",
    ),
    (
        {"days = 7": "days = 7\nrandom_interruptions = { mean = 1, hours = [24, 4] }"},
        "[regimens] all random_interruptions hours: expected [shortest, longest]",
    ),
    (
        {"hours = [48, 96, 144]\nafter_stop = [1, 4, 12]": ""},
        "[samplings] all: no samples; give hours or after_stop",
    ),
    ({"[48, 96, 144]": "[48, 40]"}, "[samplings] all hours: times must increase"),
    (
        {"[48, 96, 144]": "[48, 96]\nspread = 25"},
        "[samplings] all hours: times must increase, more than 50 h apart (twice the spread)",
    ),
    (
        {"[48, 96, 144]": "[2, 96]\nspread = 4"},
        "[samplings] all spread: the spread brings the first sample before the start",
    ),
    (
        {"[48, 96, 144]": "[48, 169]"},
        "[samplings] all hours: the last of them (169 h) may be after the stop, which is at 168 h",
    ),
    (
        {"hours = [48, 96, 144]": "spread = 3"},
        "[samplings] all spread: there are no hours that it could spread",
    ),
    ({'time = "h"': 'time = "hh"'}, "[units] time: 'hh' is an unknown unit"),
    ({'amount = "ug"': 'amount = "ug/m2"'}, "[units] amount: 'ug/m2' is a dose per m2"),
    ({"cl * BSA": "cl * BSAA"}, "[model.parameters] CL: `BSAA` is no theta and no column of the"),
    ({"cl * BSA": "cl * (BSA"}, "[model.parameters] CL: "),
    ({"cl = 0.9": "cl = { init = 0.9 }"}, "[theta] cl: expected the true values, such as cl = 0.9"),
    ({"CL = 0.07": "CL = { init = 0.07, fixed = true }"}, "[omega] CL fixed: a trial fits nothing"),
    ({"CL = 0.07": "CL = 0.07\noccasion = { CL = 0.1 }"}, "[omega] occasion: a trial has one"),
    ({"CL = 0.07": "CL = -0.07"}, "[omega] CL"),
    ({"= 0.2": "= { init = 0.2, fixed = true }"}, "[residual] proportional fixed: a trial fits"),
    (
        {"[model]": "[plan]\nreference = 'x'\n[model]"},
        "[plan] reference: no group 'x' (groups: inf",
    ),
    (
        {"[model]": "[plan]\nmetric = 'V'\n[model]"},
        "[plan] metric: 'V' is not known (known: CSS, CSS",
    ),
    (
        {"[model]": "[plan]\nmargin = [1.1, 1.25]\n[model]"},
        "[plan] margin: expected [lower, upper] ab",
    ),
    (
        {"[model]": "[plan]\nsettle = 0\n[model]"},
        "[plan] settle: expected hours before samples count",
    ),
    ({"[residual]\nproportional = 0.2": ""}, "[residual]: this table is missing; write [residual]"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_a_fault_is_said_once_with_its_place(tmp_path, changes, message):
    with pytest.raises(ModelError, match=re.escape(message)) as error:
        trial_of(tmp_path, changes)
    assert str(error.value).startswith(f"{tmp_path / 'trial.toml'}: ")
    assert len(error.value.problems) == 1


PAIRS = [
    (
        {"dose = 15": "dos = 15"},
        "[regimens] all steps entry 1 dose: missing; expected a positive dose",
        "[regimens] all steps entry 1: unknown key dos (did you mean `dose`? known: day, dose",
    ),
    (
        {"day = 1,": "day = 8,"},
        "[regimens] all steps entry 1 day: begins after the infusion, which ends with day 7",
        "[regimens] all steps: no step begins on day 1 for weights from 0 kg on",
    ),
    (
        {'"one_compartment"': '"one_compartment_oral"'},
        "[model] structure: one_compartment_oral takes no infusion; a trial needs one_compartment",
        "[model.parameters] KA: one_compartment_oral needs a formula for it",
    ),
    (
        {"cl = 0.9": "cl = 0.9\nWT = 2"},
        "[theta]: WT is a column of the trial; choose another name",
        "[theta] WT: no formula uses it",
    ),
]


@pytest.mark.parametrize(("changes", "one", "other"), PAIRS)
def test_two_faults_of_one_mistake(tmp_path, changes, one, other):
    with pytest.raises(ModelError) as error:
        trial_of(tmp_path, changes)
    first, second = map(str, error.value.problems)
    assert first.startswith(one)
    assert second.startswith(other)


def test_all_faults_are_found_in_one_pass(tmp_path):
    changes = {
        'age = [2, 7]\nregimen = "all"': 'age = [2, 7]\nregime = "all"',
        "dose = 15": "dose = 0",
        'time = "h"': 'time = "hh"',
        "cl * BSA": "cl * BSAA",
    }
    with pytest.raises(ModelError) as error:
        trial_of(tmp_path, changes)
    places = [problem.place for problem in error.value.problems]
    assert places == [
        "[groups] children regimen",
        "[groups] children",
        "[regimens] all steps entry 1 dose",
        "[units] time",
        "[model.parameters] CL",
    ]


def test_a_name_that_does_not_exist_lists_the_shipped_trials():
    with pytest.raises(ModelError, match="did you mean `blinatumomab_cohorts`"):
        read_trial("blinatumomab_cohort")


@pytest.mark.parametrize("name", shipped_trials())
def test_shipped_trials_read_and_say_that_they_are_virtual(name):
    trial = read_trial(name)
    assert "virtual" in trial.path.read_text()
    assert len(trial.groups) > 1


def test_certificates_and_published_models_are_no_trials():
    assert {"source", "truth", "models"}.isdisjoint(shipped_trials())
    assert "blinatumomab_cohorts" in shipped_trials()


def test_a_broken_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text(edited({"seed = 5": "seed = = 5"}))
    with pytest.raises(ModelError, match="not valid TOML"):
        read_trial(path)
