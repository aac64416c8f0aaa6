"""The joint density of all subjects in coordinates that suit a sampler, and its exact slopes.

Effects eta = L u have the standard normal u. A coordinate of an effect is u itself (non-centred) or
eta plus a shift that the population parameters give (centred, Betancourt and Girolami 2015,
10.1201/b18502-5), chosen for each effect: row by row of L one of the two gives the other. All
coordinates of a subject are affine in what is sampled,

    coordinate = place + slope (x - anchor) + spread z,

so that z is nearly standard normal and nearly free of x where the density is nearly normal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pkmodel._jit import allocating_kernel, kernel
from pkmodel.kernels.events import Steps
from pkmodel.kernels.joint import joint_slopes
from pkmodel.kernels.likelihood import Individual, Population, Rows
from pkmodel.kernels.predict import predict_subject
from pkmodel.kernels.subject import Psi, Work, make_work
from pkmodel.kernels.types import Vector


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
    """

    centred: NDArray[np.bool_]
    place: NDArray[np.float64]
    slope: NDArray[np.float64]
    spread: NDArray[np.float64]


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
    """What the kernel writes: the effects, and slopes of half of -2 log density.

    Attributes
    ----------
    u, eta : array (subjects, n)
    by_z : array (subjects, n)
    by_distance : array (size,)
        Through the coordinates alone, summed over subjects, as all below.
    by_direction : array (subjects, m)
        In the directions, of each subject.
    by_shift : array (subjects, n)
        In the shifts, of each subject.
    by_factor : array (n, n)
        In the lower triangle of L.
    by_sigma : array (3,)
    """

    u: NDArray[np.float64]
    eta: NDArray[np.float64]
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
def _place(
    coordinates: Coordinates, point: Point, i: int, population: Population, place: Vector, u: Vector
) -> None:
    """Write the coordinates of a subject and its standard effects."""
    spread, slope, z = coordinates.spread[i], coordinates.slope[i], point.z[i]
    distance = point.distance
    for a in range(u.size):
        total = coordinates.place[i, a]
        for k in range(distance.size):
            total += slope[a, k] * distance[k]
        for b in range(a + 1):
            total += spread[a, b] * z[b]
        place[a] = total
    to_standard(place, point.shift[i], population.factor, coordinates.centred, u)


@kernel
def _through_coordinates(
    coordinates: Coordinates, i: int, by_coordinate: Vector, by_z: Vector, by_distance: Vector
) -> None:
    """Carry slopes in a subject's coordinates to its z, and add those in the distance."""
    spread, slope = coordinates.spread[i], coordinates.slope[i]
    for a in range(by_z.size):
        for k in range(by_distance.size):
            by_distance[k] += slope[a, k] * by_coordinate[a]
        total = 0.0
        for b in range(a, by_z.size):
            total += spread[b, a] * by_coordinate[b]
        by_z[a] = total


@kernel
def _walk(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    coordinates: Coordinates,
    point: Point,
    slopes: Slopes,
    work: Work,
    room: Vector,
) -> float:
    """Add up the subjects; `room` has four rows of scratch."""
    centred, factor = coordinates.centred, population.factor
    by_distance, by_factor, by_sigma = slopes.by_distance, slopes.by_factor, slopes.by_sigma
    nothing, place, by_u, sigma = room[0, :0], room[1], room[2], room[3, :3]
    subjects, n = point.z.shape
    total = 0.0
    for a in range(n):
        if centred[a]:
            total += subjects * np.log(factor[a, a])
    for i in range(subjects):
        u, by_direction = slopes.u[i], slopes.by_direction[i]
        _place(coordinates, point, i, population, place[:n], u)
        individual = Individual(predict, steps, psi, rows, population, nothing, i)
        total += joint_slopes(individual, u, slopes.eta[i], work, by_direction, sigma)
        for a in range(n):
            by_u[a] = u[a]
        _carry_back(factor, centred, u, by_u, by_direction, slopes.by_shift[i], by_factor)
        _through_coordinates(coordinates, i, by_u, slopes.by_z[i], by_distance)
        for k in range(3):
            by_sigma[k] += sigma[k]
    return total


@allocating_kernel
def _hierarchy(
    predict: int,
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    coordinates: Coordinates,
    point: Point,
    slopes: Slopes,
) -> float:
    subjects, n = point.z.shape
    most = 0
    for i in range(subjects):
        most = max(most, steps.first[i + 1] - steps.first[i])
    work = make_work(most, n, psi.direction.shape[2])
    room = np.zeros((4, max(n, 3)))
    slopes.by_distance[:] = 0.0
    slopes.by_factor[:] = 0.0
    slopes.by_sigma[:] = 0.0
    return _walk(predict, steps, psi, rows, population, coordinates, point, slopes, work, room)


def hierarchy(
    steps: Steps,
    psi: Psi,
    rows: Rows,
    population: Population,
    coordinates: Coordinates,
    point: Point,
    slopes: Slopes,
) -> float:
    """Half of -2 log joint density of data and coordinates, and its slopes, with interaction.

    Returns
    -------
    float
        Without the constant of u; infinite where the model is not defined.
    """
    address = predict_subject.address
    return _hierarchy(address, steps, psi, rows, population, coordinates, point, slopes)
