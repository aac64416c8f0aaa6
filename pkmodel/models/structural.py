"""The structural models that exist: their parameters, and the code by which kernels know them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Structure:
    """A structural model.

    Attributes
    ----------
    name : str
        As written in a fit definition.
    parameters : tuple of str
        Structural parameters, in the order of the kernels.
    code : int
        The kernel's number for it.
    compartments : tuple of str
        Names of the compartments that a dose can enter, CMT 1 first.
    default_dose : int
        CMT of a dose where the file has no CMT column.
    observed : int
        CMT of an observation.
    """

    name: str
    parameters: tuple[str, ...]
    code: int
    compartments: tuple[str, ...]
    default_dose: int
    observed: int


ONE_COMPARTMENT = Structure("one_compartment", ("CL", "V"), 0, ("central",), 1, 1)
ONE_COMPARTMENT_ORAL = Structure(
    "one_compartment_oral", ("CL", "V", "KA"), 1, ("depot", "central"), 1, 2
)

STRUCTURES = {s.name: s for s in (ONE_COMPARTMENT, ONE_COMPARTMENT_ORAL)}
