"""The joint posterior density of population parameters and effects, as a sampler calls it.

Its vector is (z, z_1, ..., z_n), with packed parameters x = anchor + spread z and the z_a of all
subjects in the coordinates of an effect. From there to the rows and back no Python is run, and
nothing is kept from one call to the next, so that any number of threads may call at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import Address, allocating_kernel, as_array, c_function, kernel, recalled
from pkmodel.kernels.abreast import Abreast
from pkmodel.kernels.events import Steps
from pkmodel.kernels.hierarchy import (
    Coordinates,
    Point,
    Room,
    Slopes,
    hierarchy,
    make_room,
    place_effects,
)
from pkmodel.kernels.likelihood import Population, Rows
from pkmodel.kernels.long_sums import total
from pkmodel.kernels.packed import Layout, add_packed, unpack
from pkmodel.kernels.prior import Law, log_prior
from pkmodel.kernels.subject import Psi
from pkmodel.kernels.tape import Played, Tape, make_played, play
from pkmodel.kernels.types import Float1, Float2, Long1, Vector


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
    abreast: Abreast
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
    theta, theta_slope : arrays (thetas,), (free thetas,)
    factor, sigma : arrays
        As in `Population`.
    played : Played
        Typical parameters of all different rows.
    mu : array (n, parameters)
        Of every row or subject.
    direction : array (n, parameters, m)
        `Psi.direction` where parameters change in time.
    shift : array (n, subjects)
        Typical parameters that the centred effects are measured from.
    by_typical, by_theta : arrays (k, parameters), (free thetas,)
        Slopes in the typical parameters of all different rows, and in the thetas.
    """

    x: Vector
    distance: Vector
    theta: Vector
    theta_slope: Vector
    factor: Vector
    sigma: Vector
    played: Played
    mu: Vector
    direction: Vector
    shift: Vector
    by_typical: Vector
    by_theta: Vector


@allocating_kernel
def _make_here(target: Target) -> Here:
    """Allocate room."""
    size, free, n = target.anchor.size, target.layout.free.shape[0], target.psi.effects
    count, parameters = target.tape.which.size, target.tape.result.size
    different = target.tape.slots.shape[0]
    return Here(
        np.empty(size),
        np.empty(size),
        np.empty(target.layout.theta.size),
        np.empty(free),
        np.empty((n, n)),
        np.empty(3),
        make_played(target.tape, free),
        np.empty((count, parameters)),
        target.psi.direction.copy() if target.varies else target.psi.direction,
        np.zeros((n, target.first.size)),
        np.empty((different, parameters)),
        np.empty(free),
    )


@kernel
def _spread_out(target: Target, here: Here) -> bool:
    """Write typical parameters of every row or subject; return whether they are finite."""
    which, carrier, first, mu = target.tape.which, target.carrier, target.first, here.mu
    typical, jacobian, direction = here.played.typical, here.played.jacobian, here.direction
    is_finite = True
    for row in range(typical.shape[0]):
        for p in range(typical.shape[1]):
            is_finite = is_finite and np.isfinite(typical[row, p])
    for i in range(which.size):
        for p in range(mu.shape[1]):
            mu[i, p] = typical[which[i], p]
    if target.varies:
        n = target.psi.effects
        for i in range(which.size):
            for p in range(mu.shape[1]):
                for k in range(jacobian.shape[2]):
                    direction[i, p, n + k] = jacobian[which[i], p, k]
    for a in range(carrier.size):
        if carrier[a] >= 0:
            for i in range(first.size):
                here.shift[a, i] = mu[first[i], carrier[a]]
    return is_finite


@kernel
def _write_by_theta(target: Target, here: Here, slopes: Slopes) -> None:
    """Carry slopes in the directions and in the shifts to those in the free thetas."""
    first, carrier, order = target.first, target.carrier, target.psi.order
    which, jacobian, by_typical = target.tape.which, here.played.jacobian, here.by_typical
    n, by_theta = target.psi.effects, here.by_theta
    by_direction, by_shift = slopes.by_direction, slopes.by_shift
    by_typical[:] = 0.0
    by_theta[:] = 0.0
    for a in range(n):
        if carrier[a] >= 0:
            for i in range(first.size):
                by_typical[which[first[i]], carrier[a]] += by_shift[a, i]
    if target.varies:
        for k in range(by_theta.size):
            by_theta[k] += total(by_direction[n + k])
    else:
        for p in range(order.size):
            for i in range(first.size):
                by_typical[which[first[i]], p] += by_direction[order[p], i]
    for row in range(by_typical.shape[0]):
        for p in range(by_typical.shape[1]):
            for k in range(by_theta.size):
                by_theta[k] += by_typical[row, p] * jacobian[row, p, k]


@kernel
def _from_anchor(target: Target, vector: Vector, here: Here) -> None:
    """Write the packed parameters and their distance from the anchor."""
    spread = target.spread
    for k in range(here.x.size):
        distance = 0.0
        for j in range(k + 1):
            distance += spread[k, j] * vector[j]
        here.distance[k] = distance
        here.x[k] = target.anchor[k] + distance


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
def _go(target: Target, vector: Vector, here: Here) -> bool:
    """Write the population parameters at a vector; return whether they are finite."""
    _from_anchor(target, vector, here)
    is_finite = unpack(target.layout, here.x, here.theta, here.theta_slope, here.factor, here.sigma)
    play(target.tape, here.theta, here.played)
    return _spread_out(target, here) and is_finite


@kernel
def _point(target: Target, vector: Vector, here: Here) -> Point:
    """Coordinates of the effects at a vector."""
    n, subjects = target.coordinates.place.shape
    z = vector[here.x.size :].reshape((n, subjects))
    return Point(z, here.distance, here.shift)


@allocating_kernel
def _make_slopes(target: Target) -> Slopes:
    """Allocate room."""
    n, subjects = target.coordinates.place.shape
    return Slopes(
        np.empty((n, subjects)),
        np.empty(target.anchor.size),
        np.empty((target.psi.direction.shape[2], subjects)),
        np.empty((n, subjects)),
        np.empty((n, n)),
        np.empty(3),
    )


@allocating_kernel
def _make_room(target: Target) -> Room:
    """Allocate room."""
    n, m = target.psi.effects, target.psi.direction.shape[2]
    return make_room(target.steps, target.abreast, n, m)


@kernel
def _psi_at(psi: Psi, here: Here) -> Psi:
    """Put typical parameters in."""
    scale, is_plain, distribution, order, segment, _, _, effects = psi
    return Psi(scale, is_plain, distribution, order, segment, here.mu, here.direction, effects)


@kernel
def _log_density(
    target: Target, vector: Vector, here: Here, room: Room, slopes: Slopes, by_x: Vector
) -> float:
    """Log density at a vector; `by_x` and `slopes` are written, those of -log density."""
    is_finite = _go(target, vector, here)
    density = log_prior(target.law, target.layout, here.x, by_x)
    if not is_finite or not np.isfinite(density):
        return -np.inf
    factor, sigma = here.factor, here.sigma
    value = hierarchy(
        target.predict,
        target.abreast,
        target.steps,
        _psi_at(target.psi, here),
        target.rows,
        Population(factor, sigma),
        target.coordinates,
        _point(target, vector, here),
        room,
        slopes,
    )
    _write_by_theta(target, here, slopes)
    for k in range(by_x.size):
        by_x[k] = slopes.by_distance[k] - by_x[k]
    for k in range(here.by_theta.size):
        by_x[k] += here.by_theta[k] * here.theta_slope[k]
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
    here, slopes, room = _make_here(target), _make_slopes(target), _make_room(target)
    by_x = np.empty(target.anchor.size)
    density = _log_density(target, vector, here, room, slopes, by_x)
    is_finite = np.isfinite(density)
    if is_finite and _write_gradient(target.spread, by_x, slopes.by_z, gradient):
        return density
    return -np.inf


@kernel
def _place(target: Target, vector: Vector, here: Here, room: Room) -> None:
    """Write the population parameters and the effects at a vector."""
    _go(target, vector, here)
    place_effects(target.coordinates, _point(target, vector, here), here.factor, room)


@allocating_kernel
def effects_along(
    count: int, dimension: int, vectors: Vector, x: Vector, eta: Vector, target: Target
) -> None:
    """Write packed parameters and effects at vectors, one after the other in flat arrays."""
    n, subjects = target.coordinates.place.shape
    size = target.anchor.size
    here, room = _make_here(target), _make_room(target)
    for k in range(count):
        vector = vectors[k * dimension : (k + 1) * dimension]
        _place(target, vector, here, room)
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
