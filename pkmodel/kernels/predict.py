"""One entrance to the prediction kernels: the plain case on the fast path, all else in jets."""

from __future__ import annotations

from pkmodel._jit import at_address, kernel
from pkmodel.kernels.compartments import predict_general
from pkmodel.kernels.events import Steps
from pkmodel.kernels.one_compartment import predict_plain
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Float1


@kernel
def predict_range(
    steps: Steps, psi: Psi, low: int, high: int, eta: Float1, order: int, work: Work
) -> None:
    """Predict the observations of the subjects low ... high - 1 into `work`, from its first row.

    `eta` has their effects, subject after subject.
    """
    if psi.is_plain:
        predict_plain(steps, psi, low, high, eta, order, work)
    else:
        predict_general(steps, psi, low, high, eta, order, work)


predict_at = at_address(predict_range)
"""`predict_range` by its address: once per walk through subjects, so the call costs little."""
