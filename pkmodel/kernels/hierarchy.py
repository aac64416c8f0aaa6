"""The joint density of all subjects in coordinates that suit a sampler, and its exact slopes.

Effects eta = L u have the standard normal u. A coordinate of an effect is u itself (non-centred) or
eta plus a shift that the population parameters give (centred, Betancourt and Girolami 2015,
10.1201/b18502-5), chosen for each effect: row by row of L one of the two gives the other. All
coordinates of a subject are affine in what is sampled,

    coordinate = place + slope (x - anchor) + spread w(z),

so that z is nearly standard normal and nearly free of x; w bends it by what third derivatives the
density has (`bend`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.bend import KEPT, bend, bend_back
from pkmodel.kernels.events import Steps
from pkmodel.kernels.likelihood import Population, Rows, to_log
from pkmodel.kernels.predict import predict_at
from pkmodel.kernels.row_slopes import COLUMNS, add_rows, along_directions
from pkmodel.kernels.small_matrix import apply
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Bool1, Float2, Float3, Float4, Vector


class Coordinates(NamedTuple):
    """Coordinates of the effects of all subjects.

    Attributes
    ----------
    centred : array (n,)
        Which effects have centred coordinates.
    place : array (subjects, n)
    slope : array (subjects, n, size)
        In the packed population parameters.
    spread : array (subjects, n, n)
        Lower triangular.
    skew : array (subjects, n, n, n)
        As `bend` takes it; 0 for w = z.
    """

    centred: Bool1
    place: Float2
    slope: Float3
    spread: Float3
    skew: Float4


class Point(NamedTuple):
    """A point of the sampler: `z` and the distance of the population parameters from the anchor.

    Attributes
    ----------
    z : array (subjects, n)
    distance : array (size,)
    shift : array (subjects, n)
        Of the centred effects, at these population parameters.
    """

    z: NDArray[np.float64]
    distance: NDArray[np.float64]
    shift: NDArray[np.float64]


class Slopes(NamedTuple):
    """What the kernel writes: slopes of half of -2 log density.

    Attributes
    ----------
    by_z : array (subjects, n)
    by_distance : array (size,)
        Through the coordinates alone, summed over subjects, as the last two.
    by_direction : array (subjects, m)
        In the directions, of each subject.
    by_shift : array (subjects, n)
        In the shifts, of each subject.
    by_factor : array (n, n)
        In the lower triangle of L.
    by_sigma : array (3,)
    """

    by_z: NDArray[np.float64]
    by_distance: NDArray[np.float64]
    by_direction: NDArray[np.float64]
    by_shift: NDArray[np.float64]
    by_factor: NDArray[np.float64]
    by_sigma: NDArray[np.float64]


@kernel
def to_standard(
    coordinate: Vector, shift: Vector, factor: Vector, centred: NDArray[np.bool_], u: Vector
) -> None:
    """Write the standard effects u of one subject at its coordinates."""
    for a in range(u.size):
        if not centred[a]:
            u[a] = coordinate[a]
            continue
        total = coordinate[a] - shift[a]
        for b in range(a):
            total -= factor[a, b] * u[b]
        u[a] = total / factor[a, a]


@kernel
def _carry_back(
    factor: Vector,
    centred: NDArray[np.bool_],
    u: Vector,
    by_u: Vector,
    by_eta: Vector,
    by_shift: Vector,
    by_factor: Vector,
) -> None:
    """Carry slopes in u and eta = L u to the coordinates, from the last effect to the first.

    `by_u` comes with u itself and `by_eta` with the slope of the rows; `by_u` leaves with the
    slope in the coordinates.
    """
    for a in range(u.size - 1, -1, -1):
        if centred[a]:
            along = by_u[a] / factor[a, a]
            for b in range(a):
                by_u[b] -= factor[a, b] * along
                by_factor[a, b] -= along * u[b]
            by_factor[a, a] += 1.0 / factor[a, a] - along * u[a]
            by_u[a] = by_eta[a] + along
            by_shift[a] = -by_u[a]
        else:
            for b in range(a + 1):
                by_u[b] += factor[a, b] * by_eta[a]
                by_factor[a, b] += by_eta[a] * u[b]
            by_shift[a] = 0.0


@kernel
def place_effects(
    coordinates: Coordinates, point: Point, factor: Vector, u: Vector, eta: Vector, kept: Vector
) -> float:
    """Write the effects of all subjects, standard ones and eta = L u; arrays (subjects, n).

    `kept` (subjects, n, 4) is what `bend` keeps.

    Returns
    -------
    float
        Logarithm of the volume of w(z).
    """
    spread, slope, place = coordinates.spread, coordinates.slope, coordinates.place
    z, distance, shift, centred = point.z, point.distance, point.shift, coordinates.centred
    skew = coordinates.skew
    subjects, n = u.shape
    volume = 0.0
    for i in range(subjects):
        here = eta[i]
        w = u[i]
        volume += bend(skew[i], z[i], w, kept[i])
        for a in range(n):
            total = place[i, a]
            for k in range(distance.size):
                total += slope[i, a, k] * distance[k]
            for b in range(a + 1):
                total += spread[i, a, b] * w[b]
            here[a] = total
        to_standard(here, shift[i], factor, centred, u[i])
        apply(factor, n, u[i], here)
    return volume


@kernel
def _through_coordinates(
    spread: Vector, slope: Vector, by_coordinate: Vector, by_w: Vector, by_distance: Vector
) -> None:
    """Carry slopes in a subject's coordinates to its w, and add those in the distance."""
    for a in range(by_w.size):
        for k in range(by_distance.size):
            by_distance[k] += slope[a, k] * by_coordinate[a]
        total = 0.0
        for b in range(a, by_w.size):
            total += spread[b, a] * by_coordinate[b]
        by_w[a] = total


@kernel
def _add_rows_of_all(
    steps: Steps, rows: Rows, population: Population, work: Work, slopes: Slopes
) -> float:
    """Half of -2 log likelihood of the rows of all subjects, whose predictions `work` holds."""
    first, by_direction = steps.first, slopes.by_direction
    subjects = by_direction.shape[0]
    total = add_rows(rows, population.sigma, 0, first[subjects], work, slopes.by_sigma)
    for i in range(subjects):
        along_directions(work, first[i], first[i + 1], by_direction[i])
    return 0.5 * total


@kernel
def _carry_back_all(
    coordinates: Coordinates,
    factor: Vector,
    z: Vector,
    u: Vector,
    kept: Vector,
    room: Vector,
    slopes: Slopes,
) -> float:
    """Carry the slopes of the rows to what is sampled; return the prior's part of the effects."""
    centred, spread, slope = coordinates.centred, coordinates.spread, coordinates.slope
    skew = coordinates.skew
    by_direction, by_shift, by_z = slopes.by_direction, slopes.by_shift, slopes.by_z
    by_factor, by_distance = slopes.by_factor, slopes.by_distance
    subjects, n = u.shape
    by_u, by_w = room[0, :n], room[1, :n]
    by_distance[:] = 0.0
    by_factor[:] = 0.0
    total = 0.0
    for a in range(n):
        if centred[a]:
            total += subjects * np.log(factor[a, a])
    for i in range(subjects):
        for a in range(n):
            by_u[a] = u[i, a]
            total += 0.5 * u[i, a] * u[i, a]
        _carry_back(factor, centred, u[i], by_u, by_direction[i], by_shift[i], by_factor)
        _through_coordinates(spread[i], slope[i], by_u, by_w, by_distance)
        bend_back(skew[i], z[i], kept[i], by_w, by_z[i])
    return total


@allocating_kernel
def make_rows_work(steps: Steps, n: int, m: int) -> Work:
    """Allocate room for the rows of all subjects at once, with first derivatives."""
    rows = steps.first[steps.first.size - 1]
    return Work(
        np.empty(rows),
        np.empty((rows, m)),
        np.empty((0, n, m)),
        np.empty((0, n, n, m)),
        np.empty((0, 5)),
        np.empty((0, 1 + n)),
        np.empty((0, n)),
        np.empty((0, m, m)),
        np.empty((2, n)),
        np.empty(steps.dt.size),
        np.empty((4, steps.dt.size)),
        np.empty((COLUMNS, rows)),
    )


@allocating_kernel
def hierarchy(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    coordinates: Coordinates,
    point: Point,
    slopes: Slopes,
) -> float:
    """Half of -2 log joint density of data and coordinates, and its slopes, with interaction.

    All subjects take each part of the way together, so that the many arrays of the records are
    handed over a few times in all.

    Returns
    -------
    float
        Without the constant of u; infinite or NaN where the model is not defined.
    """
    subjects, n = point.z.shape
    m = psi.direction.shape[2]
    work = make_rows_work(steps, n, m)
    u, eta = np.empty((subjects, n)), np.empty((subjects, n))
    factor, room = population.factor, work.vector
    kept = np.empty((subjects, n, KEPT))
    volume = place_effects(coordinates, point, factor, u, eta, kept)
    predict_at(predict, (steps, psi, 0, subjects, eta.ravel(), 1, work))
    if rows.is_log:
        to_log(work, work.f.size, n, m, 1)
    total = _add_rows_of_all(steps, rows, population, work, slopes)
    total -= volume
    return total + _carry_back_all(coordinates, factor, point.z, u, kept, room, slopes)
