"""One entrance to the prediction kernels: the plain case on the fast path, all else in jets."""

from __future__ import annotations

from pkmodel._jit import at_address, kernel
from pkmodel.kernels.compartments import predict_general
from pkmodel.kernels.events import Steps
from pkmodel.kernels.one_compartment import predict_plain
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Float1


@kernel
def predict_subject(
    steps: Steps, psi: Psi, subject: int, eta: Float1, order: int, work: Work
) -> None:
    """Predict the observations of a subject at `eta` into `work`."""
    if psi.is_plain:
        predict_plain(steps, psi, subject, eta, order, work)
    else:
        predict_general(steps, psi, subject, eta, order, work)


predict_at = at_address(predict_subject)
"""`predict_subject` by its address: once per walk through a subject, so the call costs nothing."""
