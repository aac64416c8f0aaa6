"""What the joint posterior density is told, and the population parameters at one of its vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.abreast import Abreast
from pkmodel.kernels.events import Steps
from pkmodel.kernels.hierarchy import Coordinates, Point, Slopes
from pkmodel.kernels.likelihood import Population, Rows
from pkmodel.kernels.long_sums import total
from pkmodel.kernels.packed import Layout, unpack
from pkmodel.kernels.prior import Law
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
    x : array (size,)
        Packed.
    theta, theta_slope : arrays (thetas,), (free thetas,)
    population : Population
    played : Played
        Typical parameters of all different rows.
    psi : Psi
        Typical parameters of every row or subject.
    point : Point
    by_typical, by_theta : arrays (k, parameters), (free thetas,)
        Slopes of half of -2 log density in the typical parameters of all different rows, and in the
        thetas.
    """

    x: Vector
    theta: Vector
    theta_slope: Vector
    population: Population
    played: Played
    psi: Psi
    point: Point
    by_typical: Vector
    by_theta: Vector


@allocating_kernel
def make_here(target: Target) -> Here:
    """Allocate room."""
    psi, tape, n, subjects = target.psi, target.tape, target.psi.effects, target.first.size
    size, free, parameters = target.anchor.size, target.layout.free.shape[0], tape.result.size
    return Here(
        np.empty(size),
        np.empty(target.layout.theta.size),
        np.empty(free),
        Population(np.empty((n, n)), np.empty(3)),
        make_played(tape, free),
        Psi(
            psi.scale,
            psi.is_plain,
            psi.distribution,
            psi.order,
            psi.segment,
            np.empty((tape.which.size, parameters)),
            psi.direction.copy() if target.varies else psi.direction,
            n,
        ),
        Point(np.empty((n, subjects)), np.empty(size), np.zeros((n, subjects))),
        np.empty((tape.slots.shape[0], parameters)),
        np.empty(free),
    )


@kernel
def _unwhiten(target: Target, vector: Vector, here: Here) -> None:
    """Write the packed parameters, their distance from the anchor, and z."""
    spread, distance, z = target.spread, here.point.distance, here.point.z
    for k in range(distance.size):
        distance[k] = 0.0
        for j in range(k + 1):
            distance[k] += spread[k, j] * vector[j]
        here.x[k] = target.anchor[k] + distance[k]
    at = distance.size
    for a in range(z.shape[0]):
        for i in range(z.shape[1]):
            z[a, i] = vector[at]
            at += 1


@kernel
def _spread_out(target: Target, here: Here) -> bool:
    """Write typical parameters of every row or subject; return whether they are finite."""
    which, carrier, first, shift = target.tape.which, target.carrier, target.first, here.point.shift
    mu, direction, n = here.psi.typical, here.psi.direction, here.psi.effects
    typical, jacobian = here.played.typical, here.played.jacobian
    is_finite = True
    for row in range(typical.shape[0]):
        for p in range(typical.shape[1]):
            is_finite = is_finite and np.isfinite(typical[row, p])
    for i in range(which.size):
        for p in range(mu.shape[1]):
            mu[i, p] = typical[which[i], p]
            if target.varies:
                for k in range(jacobian.shape[2]):
                    direction[i, p, n + k] = jacobian[which[i], p, k]
    for a in range(n):
        if carrier[a] >= 0:
            for i in range(first.size):
                shift[a, i] = mu[first[i], carrier[a]]
    return is_finite


@kernel
def go(target: Target, vector: Vector, here: Here) -> bool:
    """Write the population parameters at a vector; return whether they are finite."""
    _unwhiten(target, vector, here)
    population, theta = here.population, here.theta
    is_finite = unpack(
        target.layout, here.x, theta, here.theta_slope, population.factor, population.sigma
    )
    play(target.tape, theta, here.played)
    return _spread_out(target, here) and is_finite


@kernel
def write_by_theta(target: Target, here: Here, slopes: Slopes) -> None:
    """Carry slopes in the directions and in the shifts to the thetas."""
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
