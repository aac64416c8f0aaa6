"""The joint posterior density of population parameters and effects, as a sampler calls it.

Its vector is (z, z_1, ..., z_n), with packed parameters x = anchor + spread z and the z_a of all
subjects in the coordinates of an effect. From there to the rows and back no Python is run, and
nothing is kept from one call to the next, so that any number of threads may call at once.
"""

from __future__ import annotations

import numpy as np

from pkmodel._jit import Address, allocating_kernel, as_array, c_function, kernel, recalled
from pkmodel.kernels.hierarchy import (
    Room,
    Slopes,
    hierarchy,
    make_room,
    make_slopes,
    place_effects,
)
from pkmodel.kernels.packed import add_packed
from pkmodel.kernels.prior import log_prior
from pkmodel.kernels.target import Here, Target, go, make_here, write_by_theta
from pkmodel.kernels.types import Vector


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
        slope = 0.0
        for j in range(k, size):
            slope += spread[j, k] * by_x[j]
        gradient[k] = -slope
    at = size
    for a in range(by_z.shape[0]):
        for i in range(by_z.shape[1]):
            gradient[at] = -by_z[a, i]
            at += 1
    is_finite = True
    for k in range(gradient.size):
        is_finite = is_finite and np.isfinite(gradient[k])
    return is_finite


@kernel
def _log_density(
    target: Target, vector: Vector, here: Here, room: Room, slopes: Slopes, by_x: Vector
) -> float:
    """Log density at a vector; slopes of -log density are written."""
    is_finite = go(target, vector, here)
    density = log_prior(target.law, target.layout, here.x, by_x)
    if not is_finite or not np.isfinite(density):
        return -np.inf
    population, by_theta, theta_slope = here.population, here.by_theta, here.theta_slope
    value = hierarchy(
        target.predict,
        target.abreast,
        target.steps,
        here.psi,
        target.rows,
        population,
        target.coordinates,
        here.point,
        room,
        slopes,
    )
    write_by_theta(target, here, slopes)
    for k in range(by_x.size):
        by_x[k] = slopes.by_distance[k] - by_x[k]
    for k in range(by_theta.size):
        by_x[k] += by_theta[k] * theta_slope[k]
    factor, sigma = population.factor, population.sigma
    add_packed(target.layout, factor, sigma, slopes.by_factor, slopes.by_sigma, by_x)
    return density - value


@allocating_kernel
def joint_log_density(vector: Vector, gradient: Vector, target: Target) -> float:
    """Log density and its gradient, which is written.

    Returns
    -------
    float
        -inf, and any gradient, where the model is not defined or a slope is not finite.
    """
    size, n, m = target.anchor.size, target.psi.effects, target.psi.direction.shape[2]
    subjects, by_x = target.first.size, np.empty(size)
    here, slopes = make_here(target), make_slopes(size, n, m, subjects)
    room = make_room(target.steps, target.abreast, n, m)
    density = _log_density(target, vector, here, room, slopes, by_x)
    is_finite = np.isfinite(density)
    if is_finite and _write_gradient(target.spread, by_x, slopes.by_z, gradient):
        return density
    return -np.inf


@allocating_kernel
def effects_along(
    count: int, dimension: int, vectors: Vector, x: Vector, eta: Vector, target: Target
) -> None:
    """Write packed parameters and effects at vectors, one after the other in flat arrays."""
    n, m, subjects, size = (
        target.psi.effects,
        target.psi.direction.shape[2],
        target.first.size,
        target.anchor.size,
    )
    here, room = make_here(target), make_room(target.steps, target.abreast, n, m)
    for k in range(count):
        go(target, vectors[k * dimension : (k + 1) * dimension], here)
        place_effects(target.coordinates, here.point, here.population.factor, room)
        for j in range(size):
            x[k * size + j] = here.x[j]
        for i in range(subjects):
            for a in range(n):
                eta[(k * subjects + i) * n + a] = room.eta[i, a]


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
