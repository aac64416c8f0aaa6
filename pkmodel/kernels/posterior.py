"""The joint posterior density of population parameters and effects, as a sampler calls it.

Its vector is (z, z_1, ..., z_n), with packed parameters x = anchor + spread z and the z_a of all
subjects in the coordinates of an effect. From there to the rows and back no Python is run, and
nothing is kept from one call to the next, so that any number of threads may call at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import Address, allocating_kernel, as_array, c_function, kernel, recalled
from pkmodel.kernels.bend import make_bent
from pkmodel.kernels.events import Steps
from pkmodel.kernels.hierarchy import Coordinates, Point, Slopes, hierarchy, place_effects
from pkmodel.kernels.likelihood import Population, Rows
from pkmodel.kernels.packed import Layout, add_packed, unpack
from pkmodel.kernels.prior import Law, log_prior
from pkmodel.kernels.subject import Psi
from pkmodel.kernels.tape import Tape, typical_parameters
from pkmodel.kernels.types import Counts, Float1, Float2, Long1, Vector


class Target(NamedTuple):
    """All that the density depends on but the vector.

    Attributes
    ----------
    predict : int
        Address of the prediction kernel.
    psi : Psi
        Its typical parameters are not used; where parameters change in time its directions are
        the effects and then the free thetas, whose part is not used.
    varies : bool
        Whether parameters change in time.
    first : array (subjects,)
        Where `Psi.typical` has the first values of each subject.
    carrier : array (n,)
        Parameter of each effect, -1 for those between occasions.
    anchor : array (size,)
    spread : array (size, size)
        Lower triangular.
    """

    predict: int
    steps: Steps
    psi: Psi
    varies: bool
    rows: Rows
    tape: Tape
    layout: Layout
    law: Law
    coordinates: Coordinates
    first: Long1
    carrier: Long1
    anchor: Float1
    spread: Float2


class Here(NamedTuple):
    """The population parameters at a vector.

    Attributes
    ----------
    x, distance : arrays (size,)
        Packed, and less the anchor.
    theta_slope : array (free thetas,)
    factor, sigma : arrays
        As in `Population`.
    mu, jacobian : arrays (n, parameters), (n, parameters, free thetas)
    """

    x: Vector
    distance: Vector
    theta_slope: Vector
    factor: Vector
    sigma: Vector
    mu: Vector
    jacobian: Vector


@allocating_kernel
def _psi_at(psi: Psi, varies: bool, mu: Vector, jacobian: Vector) -> Psi:
    """Put typical parameters in, and where they change in time the directions of the thetas."""
    direction = psi.direction
    if varies:
        direction = psi.direction.copy()
        for i in range(jacobian.shape[0]):
            for p in range(jacobian.shape[1]):
                for k in range(jacobian.shape[2]):
                    direction[i, p, psi.effects + k] = jacobian[i, p, k]
    return Psi(
        psi.scale,
        psi.is_plain,
        psi.distribution,
        psi.order,
        psi.segment,
        mu,
        direction,
        psi.effects,
    )


@allocating_kernel
def _shifts(first: Counts, carrier: Counts, mu: Vector) -> Vector:
    """Typical parameters that the centred effects are measured from; array (n, subjects)."""
    out = np.zeros((carrier.size, first.size))
    for a in range(carrier.size):
        if carrier[a] >= 0:
            for i in range(first.size):
                out[a, i] = mu[first[i], carrier[a]]
    return out


@kernel
def _add_by_theta(
    target: Target, jacobian: Vector, by_direction: Vector, by_shift: Vector, by_theta: Vector
) -> None:
    """Add slopes in the directions and in the shifts to those in the free thetas."""
    first, carrier, order = target.first, target.carrier, target.psi.order
    n, varies = target.psi.effects, target.varies
    for i in range(first.size):
        at = first[i]
        for k in range(by_theta.size):
            total = 0.0
            for a in range(n):
                if carrier[a] >= 0:
                    total += by_shift[a, i] * jacobian[at, carrier[a], k]
            if varies:
                total += by_direction[n + k, i]
            else:
                for p in range(order.size):
                    total += by_direction[order[p], i] * jacobian[at, p, k]
            by_theta[k] += total


@kernel
def _from_anchor(target: Target, vector: Vector, here: Here) -> None:
    """Write the packed parameters and their distance from the anchor."""
    spread = target.spread
    for k in range(here.x.size):
        total = 0.0
        for j in range(k + 1):
            total += spread[k, j] * vector[j]
        here.distance[k] = total
        here.x[k] = target.anchor[k] + total


@kernel
def _write_gradient(spread: Vector, by_x: Vector, by_z: Vector, gradient: Vector) -> bool:
    """Write slopes in the vector; return whether all are finite.

    Parameters
    ----------
    by_x, by_z : arrays (size,), (n, subjects)
        Slopes of -log density.
    """
    size = by_x.size
    for k in range(size):
        total = 0.0
        for j in range(k, size):
            total += spread[j, k] * by_x[j]
        gradient[k] = -total
    at = size
    for a in range(by_z.shape[0]):
        for i in range(by_z.shape[1]):
            gradient[at] = -by_z[a, i]
            at += 1
    is_finite = True
    for k in range(gradient.size):
        is_finite = is_finite and np.isfinite(gradient[k])
    return is_finite


@allocating_kernel
def _make_here(target: Target) -> Here:
    size, free, n = target.anchor.size, target.layout.free.shape[0], target.psi.effects
    count, parameters = target.tape.which.size, target.tape.result.size
    return Here(
        np.empty(size),
        np.empty(size),
        np.empty(free),
        np.empty((n, n)),
        np.empty(3),
        np.empty((count, parameters)),
        np.empty((count, parameters, free)),
    )


@allocating_kernel
def _go(target: Target, vector: Vector, here: Here) -> bool:
    """Write the population parameters at a vector; return whether they are finite."""
    layout, mu = target.layout, here.mu
    theta = np.empty(layout.theta.size)
    _from_anchor(target, vector, here)
    is_finite = unpack(layout, here.x, theta, here.theta_slope, here.factor, here.sigma)
    typical_parameters(target.tape, theta, mu, here.jacobian)
    for row in range(mu.shape[0]):
        for p in range(mu.shape[1]):
            is_finite = is_finite and np.isfinite(mu[row, p])
    return is_finite


@allocating_kernel
def _point(target: Target, vector: Vector, here: Here) -> Point:
    """Coordinates of the effects at a vector."""
    z = vector[here.x.size :].copy().reshape(target.coordinates.place.shape)
    return Point(z, here.distance, _shifts(target.first, target.carrier, here.mu))


@allocating_kernel
def joint_log_density(vector: Vector, gradient: Vector, target: Target) -> float:
    """Log density and its gradient, which is written.

    Returns
    -------
    float
        -inf, and any gradient, where the model is not defined or a slope is not finite.
    """
    here = _make_here(target)
    is_finite = _go(target, vector, here)
    size, free = here.x.size, here.theta_slope.size
    by_x = np.zeros(size)
    density = log_prior(target.law, target.layout, here.x, by_x)
    if not is_finite or not np.isfinite(density):
        return -np.inf
    factor, sigma = here.factor, here.sigma
    psi = _psi_at(target.psi, target.varies, here.mu, here.jacobian)
    n, subjects = target.coordinates.place.shape
    slopes = Slopes(
        np.empty((n, subjects)),
        np.empty(size),
        np.empty((psi.direction.shape[2], subjects)),
        np.empty((n, subjects)),
        np.empty((n, n)),
        np.empty(3),
    )
    value = hierarchy(
        target.predict,
        target.steps,
        psi,
        target.rows,
        Population(factor, sigma),
        target.coordinates,
        _point(target, vector, here),
        slopes,
    )
    by_theta, by_packed = np.zeros(free), np.zeros(size)
    _add_by_theta(target, here.jacobian, slopes.by_direction, slopes.by_shift, by_theta)
    add_packed(target.layout, factor, sigma, slopes.by_factor, slopes.by_sigma, by_packed)
    for k in range(size):
        by_x[k] = by_packed[k] + slopes.by_distance[k] - by_x[k]
        if k < free:
            by_x[k] += by_theta[k] * here.theta_slope[k]
    if not _write_gradient(target.spread, by_x, slopes.by_z, gradient):
        return -np.inf
    return density - value if np.isfinite(value) else -np.inf


@allocating_kernel
def effects_along(
    count: int, dimension: int, vectors: Vector, x: Vector, eta: Vector, target: Target
) -> None:
    """Write packed parameters and effects at vectors, one after the other in flat arrays."""
    n, subjects = target.coordinates.place.shape
    size = target.anchor.size
    here = _make_here(target)
    u, own, bent = np.empty((n, subjects)), np.empty((subjects, n)), make_bent(n, subjects)
    for k in range(count):
        vector = vectors[k * dimension : (k + 1) * dimension]
        _go(target, vector, here)
        point = _point(target, vector, here)
        place_effects(target.coordinates, point, here.factor, u, own, bent)
        for j in range(size):
            x[k * size + j] = here.x[j]
        for i in range(subjects):
            for a in range(n):
                eta[(k * subjects + i) * n + a] = own[i, a]


recall = recalled(Target)


@c_function
def joint_entrance(
    dimension: int, vector: Vector, gradient: Vector, value: Vector, target: Address
) -> int:
    """Write the log density and its gradient; return 0, or 1 where it is not defined."""
    at, slope = as_array(vector, dimension), as_array(gradient, dimension)
    found = joint_log_density(at, slope, recall(target))
    value[0] = found
    return 0 if np.isfinite(found) else 1


@c_function
def effects_entrance(
    count: int, dimension: int, vectors: Vector, x: Vector, eta: Vector, target: Address
) -> int:
    """Write packed parameters, arrays (count, size), and effects (count, subjects, n)."""
    record = recall(target)
    n, subjects = record.coordinates.place.shape
    effects_along(
        count,
        dimension,
        as_array(vectors, count * dimension),
        as_array(x, count * record.anchor.size),
        as_array(eta, count * subjects * n),
        record,
    )
    return 0


@c_function
def copy_entrance(dimension: int, size: int, vector: Vector, out: Vector, _record: Address) -> int:
    """Write the vector as it is: what the sampler is to keep of a draw."""
    for k in range(min(dimension, size)):
        out[k] = vector[k]
    return 0
