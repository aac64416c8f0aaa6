"""The same bits from kernels that were just compiled and from those found on disk."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from pkmodel.kernels.exponential import log_product
from pkmodel.kernels.long_sums import dot, total

DENSITY = """
import hashlib
import numpy as np
import pkmodel as pk
from pkmodel.bayes.anchor import find_anchor
from pkmodel.bayes.joint import JointTarget
from pkmodel.bayes.prior import PackedPrior
from pkmodel.bayes.skewness import bent
from pkmodel.definition import given_data
from pkmodel.problem import Problem

definition = pk.read_definition("phenobarbital")
problem = Problem(definition.model, given_data(definition, None), definition.options)
prior = PackedPrior(problem.packing)
target = bent(JointTarget(problem, prior, find_anchor(problem, prior)))
digest, rng = hashlib.sha256(), np.random.default_rng(1)
for _ in range(100):
    value, gradient = target(rng.normal(size=target.dimension))
    digest.update(np.append(gradient, value).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize(("kernel", "arrays"), [(dot, 2), (total, 1), (log_product, 1)])
def test_callers_may_not_add_up_in_another_order_than_a_vector_kernel_does(kernel, arrays):
    """Callers optimise its code again: with this leave a stored caller had other last bits."""
    arrays = (numba.typeof(np.ones(2)),) * arrays
    kernel.linked.compile(arrays)
    code = str(kernel.linked.overloads[arrays].library._get_module_for_linking())
    assert " contract " in code
    assert "reassoc" not in code


@pytest.mark.slow
def test_a_density_has_the_same_bits_just_compiled_and_found_on_disk(tmp_path):
    environment = {**os.environ, "PKMODEL_CACHE": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", DENSITY],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert first == second
