"""Covariate blocks: relations of size and age that papers share, as functions of formulas.

``CL = "cl * allometry(WT)"`` reads as the text of the block with its arguments put in, so that it
is the formula written out, to the bit, and its Jacobian is exact. No block is ever put in unasked:
a formula without one has none.

To add one, add an entry here. Each argument must stand once in the text, which keeps the size of a
formula that nests blocks in proportion to what was written; a shared test sees to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Argument:
    """An argument of a block.

    Attributes
    ----------
    name : str
        As it stands in the text of the block.
    meaning : str
        What it is, with its unit.
    default : float or None
        Its value where it is not given; None where it must be.
    plausible : (float, float) or None
        Where values of people lie; one outside is usually in another unit. None where anything may
        be right.
    """

    name: str
    meaning: str
    default: float | None = None
    plausible: tuple[float, float] | None = None


@dataclass(frozen=True)
class Block:
    """A covariate relation with a name.

    Attributes
    ----------
    name : str
    arguments : tuple of Argument
        Those with a default come last.
    text : str
        The formula it stands for; a factor without unit.
    meaning : str
    source : str
        Where it was published.
    mark : str
        A key of `pkmodel.marks.MARKS`: how the source was read.
    caution : str
        When not to use it; empty where there is nothing to say.
    """

    name: str
    arguments: tuple[Argument, ...]
    text: str
    meaning: str
    source: str
    mark: str
    caution: str = ""

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and largest number of arguments."""
        required = sum(argument.default is None for argument in self.arguments)
        return required, len(self.arguments)

    @property
    def signature(self) -> str:
        """How it is written, with the values of arguments that may be left out."""
        parts = [
            argument.name if argument.default is None else f"{argument.name} = {argument.default:g}"
            for argument in self.arguments
        ]
        return f"{self.name}({', '.join(parts)})"


_ASSUMED = (
    "for a drug for which no maturation is published, blinatumomab among them, it is an assumption "
    "of yours: report the fit without it beside this one"
)

_ALL = (
    Block(
        "allometry",
        (
            Argument("WT", "body weight, kg", plausible=(0.3, 300.0)),
            Argument("b", "exponent; usual are 0.75 for clearance and 1 for volume", 0.75),
        ),
        "(WT / 70)**b",
        "allometric size, 1 at 70 kg",
        "Anderson and Holford 2008, Annu Rev Pharmacol Toxicol 48:303, "
        "10.1146/annurev.pharmtox.48.113006.094708",
        "SAW",
    ),
    Block(
        "bsa_power",
        (
            Argument("BSA", "body surface area, m2", plausible=(0.05, 4.0)),
            Argument("b", "exponent; 1 makes a clearance proportional to the surface"),
            Argument("reference", "body surface area at which the factor is 1, m2", 1.73),
        ),
        "(BSA / reference)**b",
        "power of body surface area, 1 at the reference",
        "the form is that of Clements et al. 2020, Clin Pharmacokinet 59:463, "
        "10.1007/s40262-019-00823-8, whose reference is 1.876 m2 and exponent 0.620; 1.73 m2 is "
        "the convention of renal function, Heaf 2007, Clin Physiol Funct Imaging, "
        "10.1111/j.1475-097x.2006.00718.x",
        "SAW-2",
    ),
    Block(
        "maturation_renal",
        (Argument("PMA", "postmenstrual age, weeks", plausible=(20.0, 6300.0)),),
        "1 / (1 + (47.7 / PMA)**3.4)",
        "maturation of glomerular filtration, PMA**3.4 / (47.7**3.4 + PMA**3.4), towards 1",
        "Rhodin et al. 2009, Pediatr Nephrol 24:67, 10.1007/s00467-008-0997-5",
        "SAW-2",
        f"published for glomerular filtration; {_ASSUMED}",
    ),
    Block(
        "maturation_igg",
        (
            Argument(
                "AGE",
                "age after term, months: postmenstrual age less 40 weeks, the postnatal age of a "
                "child born at term",
                plausible=(-5.0, 1440.0),
            ),
            Argument("beta", "fraction of the mature value at term", plausible=(0.0, 1.0)),
            Argument("T", "age at which half of the rest has come, months"),
        ),
        "1 - (1 - beta) * exp(-AGE * log(2) / T)",
        "maturation of the clearance of an IgG antibody from beta at term towards 1",
        "form and values of Robbie et al. 2012, Antimicrob Agents Chemother 56:4927, "
        "10.1128/AAC.06446-11, for palivizumab: beta 0.411, T 62.3 months; published antibodies "
        "range over beta 0.364-0.579 and T 14.8-62.3 months",
        "SAW-2",
        f"published for antibodies with an Fc part; {_ASSUMED}",
    ),
)

BLOCKS: Mapping[str, Block] = {block.name: block for block in _ALL}
