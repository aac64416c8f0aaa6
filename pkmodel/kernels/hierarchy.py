"""The joint density of all subjects in coordinates that suit a sampler, and its exact slopes.

Effects eta = L u have the standard normal u. A coordinate of an effect is u itself (non-centred) or
eta plus a shift that the population parameters give (centred, Betancourt and Girolami 2015,
10.1201/b18502-5), chosen for each effect: row by row of L one of the two gives the other. All
coordinates of a subject are affine in what is sampled,

    coordinate = place + slope (x - anchor) + exp(growth (s - anchor)) spread w(z),

with s the logarithms of the residual coefficients, so that z is nearly standard normal and nearly
free of x, its place as well as its width; w bends it by what third derivatives the density has
(`bend`). A width does not follow the variances of the effects: it ends at what they are, and a line
through that would be far off where they are hardly known. Arrays have the subjects last.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel, vector_kernel
from pkmodel.kernels.abreast import Abreast, Walk, make_walk, predict_abreast
from pkmodel.kernels.bend import Bent, bend, bend_back, make_bent
from pkmodel.kernels.events import Steps
from pkmodel.kernels.exponential import exponentials
from pkmodel.kernels.likelihood import Population, Rows, to_log
from pkmodel.kernels.long_sums import add, add_product, copy, dot, total
from pkmodel.kernels.predict import predict_at
from pkmodel.kernels.row_slopes import add_rows, along_directions
from pkmodel.kernels.subject import Psi, Work
from pkmodel.kernels.types import Bool1, Float2, Float3, Float4, Vector


class Coordinates(NamedTuple):
    """Coordinates of the effects of all subjects.

    Attributes
    ----------
    centred : array (n,)
        Which effects have centred coordinates.
    place : array (n, subjects)
    slope : array (n, size, subjects)
        In the packed population parameters.
    growth : array (n, coefficients, subjects)
        Of the logarithm of a row of the spread, in the last of them, the residual coefficients.
    spread : array (n, n, subjects)
        Lower triangular.
    skew : array (n, n, n, subjects)
        As `bend` takes it; 0 for w = z.
    """

    centred: Bool1
    place: Float2
    slope: Float3
    growth: Float3
    spread: Float3
    skew: Float4


class Point(NamedTuple):
    """A point of the sampler: `z` and the distance of the population parameters from the anchor.

    Attributes
    ----------
    z : array (n, subjects)
    distance : array (size,)
    shift : array (n, subjects)
        Of the centred effects, at these population parameters.
    """

    z: NDArray[np.float64]
    distance: NDArray[np.float64]
    shift: NDArray[np.float64]


class Slopes(NamedTuple):
    """What the kernel writes: slopes of half of -2 log density.

    Attributes
    ----------
    by_z : array (n, subjects)
    by_distance : array (size,)
        Through the coordinates alone, summed over subjects, as the last two.
    by_direction : array (m, subjects)
        In the directions, of each subject.
    by_shift : array (n, subjects)
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


class Room(NamedTuple):
    """Where the kernel works.

    Attributes
    ----------
    u, by_u, w, by_w : arrays (n, subjects)
        Standard effects and bent z, and slopes in the coordinates and in w.
    stretch, inner : arrays (n, subjects)
        exp(growth (x - anchor)), and spread w.
    by_inner, by_stretch : arrays (subjects,)
        Slopes in these, the latter in the logarithm, with the volume.
    eta : array (subjects, n)
    bent : Bent
    walk : Walk
    work : Work
    """

    u: NDArray[np.float64]
    by_u: NDArray[np.float64]
    w: NDArray[np.float64]
    by_w: NDArray[np.float64]
    stretch: NDArray[np.float64]
    inner: NDArray[np.float64]
    by_inner: NDArray[np.float64]
    by_stretch: NDArray[np.float64]
    eta: NDArray[np.float64]
    bent: Bent
    walk: Walk
    work: Work


@allocating_kernel
def make_slopes(size: int, n: int, m: int, subjects: int) -> Slopes:
    """Allocate room for so many packed parameters, effects, directions and subjects."""
    return Slopes(
        np.empty((n, subjects)),
        np.empty(size),
        np.empty((m, subjects)),
        np.empty((n, subjects)),
        np.empty((n, n)),
        np.empty(3),
    )


@kernel
def _coordinates(coordinates: Coordinates, point: Point, room: Room, out: Vector) -> float:
    """Write coordinates, an array (n, subjects); return the logarithm of what stretches them."""
    distance, stretch, inner, w = point.distance, room.stretch, room.inner, room.w
    growth = coordinates.growth
    coefficients = distance[distance.size - growth.shape[1] :]
    stretch[:] = 0.0
    inner[:] = 0.0
    volume = 0.0
    for a in range(out.shape[0]):
        copy(coordinates.place[a], out[a])
        for k in range(distance.size):
            add(distance[k], coordinates.slope[a, k], out[a])
        for k in range(coefficients.size):
            add(coefficients[k], growth[a, k], stretch[a])
        volume += total(stretch[a])
        exponentials(stretch[a])
        for b in range(a + 1):
            add_product(1.0, coordinates.spread[a, b], w[b], inner[a])
        add_product(1.0, stretch[a], inner[a], out[a])
    return volume


@kernel
def _to_standard(coordinates: Coordinates, point: Point, factor: Vector, u: Vector) -> None:
    """Turn coordinates into the standard effects, arrays (n, subjects), in place."""
    for a in range(u.shape[0]):
        if coordinates.centred[a]:
            add(-1.0, point.shift[a], u[a])
            for b in range(a):
                add(-factor[a, b], u[b], u[a])
            for i in range(u.shape[1]):
                u[a, i] /= factor[a, a]


@kernel
def place_effects(coordinates: Coordinates, point: Point, factor: Vector, room: Room) -> float:
    """Write the effects of all subjects, standard ones and eta = L u.

    Returns
    -------
    float
        Logarithm of the volume of the coordinates, but for that of `Coordinates.spread`.
    """
    u, eta = room.u, room.eta
    volume = bend(coordinates.skew, point.z, room.w, room.bent)
    volume += _coordinates(coordinates, point, room, u)
    _to_standard(coordinates, point, factor, u)
    for a in range(u.shape[0]):
        for i in range(u.shape[1]):
            eta[i, a] = 0.0
            for b in range(a + 1):
                eta[i, a] += factor[a, b] * u[b, i]
    return volume


@kernel
def _carry_back(
    coordinates: Coordinates, factor: Vector, u: Vector, by_u: Vector, slopes: Slopes
) -> None:
    """Carry slopes in u and eta = L u to the coordinates, from the last effect to the first.

    `by_u` comes with u itself and `by_direction` with the slope of the rows; `by_u` leaves with
    the slope in the coordinates.
    """
    by_factor, by_eta, by_shift = slopes.by_factor, slopes.by_direction, slopes.by_shift
    by_factor[:] = 0.0
    by_shift[:] = 0.0
    n, subjects = u.shape
    for a in range(n - 1, -1, -1):
        if coordinates.centred[a]:
            for i in range(subjects):
                by_u[a, i] /= factor[a, a]
            for b in range(a):
                add(-factor[a, b], by_u[a], by_u[b])
            for b in range(a + 1):
                by_factor[a, b] -= dot(by_u[a], u[b])
            by_factor[a, a] += subjects / factor[a, a]
            add(1.0, by_eta[a], by_u[a])
            add(-1.0, by_u[a], by_shift[a])
        else:
            for b in range(a + 1):
                by_factor[a, b] += dot(by_eta[a], u[b])
                add(factor[a, b], by_eta[a], by_u[b])


@vector_kernel
def _by_stretched(
    by_coordinate: Vector, stretch: Vector, inner: Vector, by_inner: Vector, by_stretch: Vector
) -> None:
    """Carry slopes in a coordinate to what it stretches, and to the logarithm of by how much."""
    for i in range(by_coordinate.size):
        by_inner[i] = by_coordinate[i] * stretch[i]
        by_stretch[i] = by_inner[i] * inner[i] - 1.0


@kernel
def _through_coordinates(
    coordinates: Coordinates, room: Room, by_coordinate: Vector, by_distance: Vector
) -> None:
    """Carry slopes in the coordinates, less that of the volume, to w and to the distance."""
    by_w, by_inner, by_stretch = room.by_w, room.by_inner, room.by_stretch
    growth = coordinates.growth
    by_coefficients = by_distance[by_distance.size - growth.shape[1] :]
    by_w[:] = 0.0
    by_distance[:] = 0.0
    for a in range(by_w.shape[0]):
        _by_stretched(by_coordinate[a], room.stretch[a], room.inner[a], by_inner, by_stretch)
        for k in range(by_distance.size):
            by_distance[k] += dot(coordinates.slope[a, k], by_coordinate[a])
        for k in range(by_coefficients.size):
            by_coefficients[k] += dot(growth[a, k], by_stretch)
        for b in range(a + 1):
            add_product(1.0, coordinates.spread[a, b], by_inner, by_w[b])


@kernel
def _prior_of(coordinates: Coordinates, factor: Vector, u: Vector) -> float:
    """Half of -2 log density of the effects, in their coordinates."""
    value = 0.0
    for a in range(u.shape[0]):
        value += 0.5 * dot(u[a], u[a])
        if coordinates.centred[a]:
            value += u.shape[1] * np.log(factor[a, a])
    return value


@allocating_kernel
def _make_rows_work(steps: Steps, n: int, m: int) -> Work:
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
        np.empty((0, m)),
        np.empty(0),
        np.empty(0),
        np.empty((4, 0)),
        np.empty((2, rows)),
        np.empty((4, rows)),
    )


@allocating_kernel
def make_room(steps: Steps, abreast: Abreast, n: int, m: int) -> Room:
    """Allocate room for all subjects, of n effects and m directions."""
    subjects = steps.first.size - 1
    return Room(
        np.empty((n, subjects)),
        np.empty((n, subjects)),
        np.empty((n, subjects)),
        np.empty((n, subjects)),
        np.empty((n, subjects)),
        np.empty((n, subjects)),
        np.empty(subjects),
        np.empty(subjects),
        np.empty((subjects, n)),
        make_bent(n, subjects),
        make_walk(abreast),
        _make_rows_work(steps, n, m),
    )


@kernel
def hierarchy(
    predict: int,
    abreast: Abreast,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    coordinates: Coordinates,
    point: Point,
    room: Room,
    slopes: Slopes,
) -> float:
    """Half of -2 log joint density of data and coordinates, and its slopes, with interaction.

    All subjects take each part of the way together, so that the many arrays of the records are
    handed over a few times in all, and loops are long.

    Returns
    -------
    float
        Without the constant of u; infinite or NaN where the model is not defined.
    """
    n, subjects = point.z.shape
    m, factor, work = psi.direction.shape[2], population.factor, room.work
    u, by_u = room.u, room.by_u
    volume = place_effects(coordinates, point, factor, room)
    eta = room.eta.reshape(n * subjects)
    if psi.is_plain:
        predict_abreast(abreast, steps, psi, eta, room.walk, work)
    else:
        predict_at(predict, (steps, psi, 0, subjects, eta, 1, work))
    if rows.is_log:
        to_log(work, work.f.size, n, m, 1)
    value = 0.5 * add_rows(rows, population.sigma, 0, work.f.size, work, slopes.by_sigma)
    along_directions(work, steps.first, slopes.by_direction)
    for a in range(n):
        copy(u[a], by_u[a])
    _carry_back(coordinates, factor, u, by_u, slopes)
    _through_coordinates(coordinates, room, by_u, slopes.by_distance)
    bend_back(coordinates.skew, point.z, room.bent, room.by_w, slopes.by_z)
    return value - volume + _prior_of(coordinates, factor, u)
