"""Population parameters between three forms: named, as matrices, and as one unconstrained vector.

Bounded thetas are packed as logarithms or logits of their distance to the bounds, each free block
of Omega as the log-Cholesky factor, residual coefficients as logarithms. Derivatives are carried
from the matrices to the vector, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pkmodel.kernels.packed import ABOVE, BELOW, BETWEEN, PLAIN, Layout
from pkmodel.models.model import Model, Theta

Vector = NDArray[np.float64]

SIGMA_SLOT = {"additive": 0, "lognormal": 0, "proportional": 1, "power": 1, "exponent": 2}


@dataclass(frozen=True)
class Values:
    """Population parameters as matrices: all thetas, Omega of all effects, and (a, b, exponent).

    `factor` is the lower triangular L with Omega = L L'.
    """

    theta: Vector
    factor: Vector
    sigma: Vector

    @property
    def omega(self) -> Vector:
        """Covariance matrix of the effects."""
        return np.asarray(self.factor @ self.factor.T)


@dataclass(frozen=True)
class Effect:
    """A random effect: its parameter, and its occasion (0: between subjects)."""

    parameter: str
    occasion: int


def list_effects(model: Model, occasions: int) -> tuple[Effect, ...]:
    """List the random effects in the order of Omega: blocks, occasion blocks once per occasion."""
    effects = [Effect(p, 0) for b in model.omega if not b.occasion for p in b.parameters]
    for number in range(1, occasions + 1):
        effects += [Effect(p, number) for b in model.omega if b.occasion for p in b.parameters]
    return tuple(effects)


def _to_free(theta: Theta, value: float) -> float:
    low, high = theta.lower, theta.upper
    if np.isfinite(low) and np.isfinite(high):
        share = (value - low) / (high - low)
        return float(np.log(share / (1.0 - share)))
    if np.isfinite(low):
        return float(np.log(value - low))
    if np.isfinite(high):
        return float(-np.log(high - value))
    return value / _scale(theta)


def _scale(theta: Theta) -> float:
    return abs(theta.init) if abs(theta.init) > 1.0 else 1.0


def _from_free(theta: Theta, x: Vector) -> tuple[Vector, Vector | float]:
    """Return the theta and its derivative in `x`, a number or many."""
    low, high = theta.lower, theta.upper
    if np.isfinite(low) and np.isfinite(high):
        share = 1.0 / (1.0 + np.exp(-x))
        return low + (high - low) * share, (high - low) * share * (1.0 - share)
    if np.isfinite(low):
        distance = np.exp(x)
        return low + distance, distance
    if np.isfinite(high):
        distance = np.exp(-x)
        return high - distance, distance
    return x * _scale(theta), _scale(theta)


def _bounding(theta: Theta) -> int:
    """Return the kernels' code of how a theta is bounded."""
    if np.isfinite(theta.lower):
        return BETWEEN if np.isfinite(theta.upper) else ABOVE
    return BELOW if np.isfinite(theta.upper) else PLAIN


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


@cache
def triangle(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of a lower triangle, row by row, and which entries are on the diagonal."""
    rows, columns = np.tril_indices(size)
    return rows, columns, np.flatnonzero(rows == columns)


def pack_factor(lower: Vector) -> Vector:
    """Pack a Cholesky factor row by row, the diagonal as logarithms."""
    rows, columns, diagonal = triangle(len(lower))
    packed = lower[rows, columns]
    packed[diagonal] = np.log(packed[diagonal])
    return np.asarray(packed)


def unpack_factor(packed: Vector, size: int) -> Vector:
    """Undo `pack_factor`, of one packed factor or of an array (..., entries) of them."""
    rows, columns, diagonal = triangle(size)
    values = packed.copy()
    values[..., diagonal] = np.exp(values[..., diagonal])
    lower = np.zeros((*packed.shape[:-1], size, size))
    lower[..., rows, columns] = values
    return lower


class Packing:
    """Positions and transformations of the free parameters of a model.

    Parameters
    ----------
    model : Model
    occasions : int
        Occasions of the data; 0 where the model has no effects between occasions.
    """

    def __init__(self, model: Model, occasions: int) -> None:
        self.model = model
        self.occasions = occasions
        self.effects = list_effects(model, occasions)
        self.theta = [i for i, t in enumerate(model.theta) if not t.fixed]
        self.sigma = [i for i, s in enumerate(model.residual.sigmas) if not s.fixed]
        self.blocks = [b for b in model.omega if not b.fixed]
        self.names = self._names()
        self.size = len(self.names)
        self.theta_part = slice(0, len(self.theta))
        self.block_parts = self._block_parts()
        self.sigma_part = slice(self.size - len(self.sigma), self.size)
        self._places = self._block_places()
        self._prepare()

    def _names(self) -> tuple[str, ...]:
        names = [f"theta {self.model.theta[i].name}" for i in self.theta]
        for block in self.blocks:
            label = "occasion" if block.occasion else "omega"
            for i, p in enumerate(block.parameters):
                names += [f"{label} {q},{p}" for q in block.parameters[:i]]
                names.append(f"{label} {p}")
        names += [f"sigma {self.model.residual.sigmas[i].name}" for i in self.sigma]
        return tuple(names)

    def _block_parts(self) -> list[slice]:
        """Where each free block stands in the packed vector."""
        parts = []
        end = len(self.theta)
        for block in self.blocks:
            size = len(block.parameters)
            parts.append(slice(end, end + size * (size + 1) // 2))
            end = parts[-1].stop
        return parts

    def copies(self, free: int) -> list[NDArray[np.int64]]:
        """Positions in Omega of a free block: one, or one per occasion."""
        numbers = [n for n, block in enumerate(self.model.omega) if not block.fixed]
        return self._places[numbers[free]]

    def _prepare(self) -> None:
        """Lay out where each packed value goes, so that unpacking takes a few array operations."""
        model = self.model
        self._theta = np.array([t.init for t in model.theta], dtype=float)
        free = [model.theta[i] for i in self.theta]
        self._is_plain = not any(np.isfinite(t.upper) for t in free)
        self._lower = np.array([t.lower if np.isfinite(t.lower) else 0.0 for t in free])
        self._scale = np.array([1.0 if np.isfinite(t.lower) else _scale(t) for t in free])
        self._is_log = np.zeros(self.size, dtype=bool)
        self._is_log[self.theta_part] = [bool(np.isfinite(t.lower)) for t in free]
        self._is_log[self.sigma_part] = True
        self._factor = np.zeros((len(self.effects), len(self.effects)))
        for number, copies in self._places.items():
            if model.omega[number].fixed:
                for place in copies:
                    self._factor[np.ix_(place, place)] = np.linalg.cholesky(
                        np.array(model.omega[number].matrix, dtype=float)
                    )
        places: list[tuple[int, int, int]] = []
        for free_number, (block, part) in enumerate(
            zip(self.blocks, self.block_parts, strict=True)
        ):
            rows, columns, diagonal = triangle(len(block.parameters))
            self._is_log[part.start + diagonal] = True
            for copy in self.copies(free_number):
                entries = zip(range(part.start, part.stop), copy[rows], copy[columns], strict=True)
                places += [(k, int(a), int(b)) for k, a, b in entries]
        self._source, self._row, self._column = (
            np.array([place[k] for place in places], dtype=np.int64) for k in range(3)
        )
        self._has_copies = len(places) > len({place[0] for place in places})
        self._sigma = np.array([0.0, 0.0, 1.0])
        for s in model.residual.sigmas:
            self._sigma[SIGMA_SLOT[s.name]] = s.init
        self._slot = [SIGMA_SLOT[model.residual.sigmas[i].name] for i in self.sigma]

    def _block_places(self) -> dict[int, list[NDArray[np.int64]]]:
        """Positions in Omega of every copy of every block."""
        places: dict[int, list[NDArray[np.int64]]] = {}
        at = 0
        for number, block in enumerate(self.model.omega):
            if not block.occasion:
                places[number] = [np.arange(at, at + len(block.parameters))]
                at += len(block.parameters)
        for _ in range(self.occasions):
            for number, block in enumerate(self.model.omega):
                if block.occasion:
                    copies = places.setdefault(number, [])
                    copies.append(np.arange(at, at + len(block.parameters)))
                    at += len(block.parameters)
        return places

    def initial(self) -> Vector:
        """Pack the model's initial values."""
        return self.pack(
            [self.model.theta[i].init for i in self.theta],
            [np.linalg.cholesky(np.array(block.matrix)) for block in self.blocks],
            [self.model.residual.sigmas[i].init for i in self.sigma],
        )

    def pack(
        self, thetas: Sequence[float], factors: Sequence[Vector], sigmas: Sequence[float]
    ) -> Vector:
        """Pack values of the free thetas, Cholesky factors of the free blocks and free sigmas."""
        parts = [
            _to_free(self.model.theta[i], value)
            for i, value in zip(self.theta, thetas, strict=True)
        ]
        for factor in factors:
            parts += list(pack_factor(factor))
        parts += [np.log(value) for value in sigmas]
        return np.array(parts, dtype=float)

    def moved(self, x: Vector, name: str, value: float) -> Vector:
        """Return a packed vector with one of `names` at another value.

        That is a theta, a coefficient, a variance, whose correlations stay, or a covariance, beside
        which all others stay.

        Raises
        ------
        numpy.linalg.LinAlgError
            With this covariance the matrix of its block is not positive definite.
        """
        out, k = x.copy(), self.names.index(name)
        kind, _, parameter = name.partition(" ")
        if kind == "theta":
            out[k] = _to_free(self.model.theta[self.theta[k]], value)
        elif kind == "sigma":
            out[k] = np.log(value)
        elif "," in parameter:
            self._move_covariance(out, kind, parameter.split(","), value)
        else:
            row = [
                j
                for j, other in enumerate(self.names[:k])
                if other.startswith(f"{kind} ") and other.endswith(f",{parameter}")
            ]
            ratio = np.sqrt(value / self.natural(x)[k])
            out[row] *= ratio
            out[k] += np.log(ratio)
        return out

    def _move_covariance(self, x: Vector, kind: str, pair: list[str], value: float) -> None:
        factors = self._free_factors(x)
        for block, part, factor in zip(self.blocks, self.block_parts, factors, strict=True):
            if block.occasion == (kind == "occasion") and set(pair) <= set(block.parameters):
                i, j = (block.parameters.index(end) for end in pair)
                matrix = factor @ factor.T
                matrix[i, j] = matrix[j, i] = value
                x[part] = pack_factor(np.linalg.cholesky(matrix))

    @np.errstate(over="ignore", invalid="ignore")
    def unpack(self, x: Vector) -> Values:
        """Return the parameters as matrices; infinite where they leave the range of numbers."""
        moved = x.copy()
        moved[self._is_log] = np.exp(x[self._is_log])
        theta = self._theta.copy()
        if self._is_plain:
            theta[self.theta] = self._lower + self._scale * moved[self.theta_part]
        else:
            for k, i in enumerate(self.theta):
                theta[i] = _from_free(self.model.theta[i], x[k])[0]
        factor = self._factor.copy()
        factor[self._row, self._column] = moved[self._source]
        sigma = self._sigma.copy()
        sigma[self._slot] = moved[self.sigma_part]
        return Values(theta, factor, sigma)

    def _free_factors(self, x: Vector) -> list[Vector]:
        """Cholesky factors of the free blocks."""
        return [
            unpack_factor(x[part], len(block.parameters))
            for block, part in zip(self.blocks, self.block_parts, strict=True)
        ]

    def _matrices(self, x: Vector) -> list[Vector]:
        """Every block of Omega, free or fixed."""
        factors = iter(self._free_factors(x))
        matrices = []
        for block in self.model.omega:
            if not block.fixed:
                lower = next(factors)
                matrices.append(lower @ lower.T)
            else:
                matrices.append(np.array(block.matrix, dtype=float))
        return matrices

    def theta_slopes(self, x: Vector) -> Vector:
        """Differentiate each free theta in its packed value."""
        if self._is_plain:
            part = self.theta_part
            return np.where(self._is_log[part], np.exp(x[part]), self._scale)
        slopes = [_from_free(self.model.theta[i], x[k])[1] for k, i in enumerate(self.theta)]
        return np.array(slopes)

    def pull_back(self, x: Vector, theta: Vector, factor: Vector, sigma: Vector) -> Vector:
        """Carry derivatives from the matrices to the packed vector.

        Parameters
        ----------
        x : array (size,)
        theta : array (n, thetas)
            Derivatives in all thetas, of n quantities.
        factor : array (n, effects, effects)
            Derivatives in the lower triangle of L, Omega = L L'.
        sigma : array (n, 3)

        Returns
        -------
        array (n, size)
        """
        out = np.zeros((theta.shape[0], self.size))
        out[:, self.theta_part] = theta[:, self.theta] * self.theta_slopes(x)
        by_entry = factor[:, self._row, self._column]
        if self._has_copies:
            for entry, k in enumerate(self._source):
                out[:, k] += by_entry[:, entry]
        else:
            out[:, self._source] = by_entry
        out[:, self.sigma_part] = sigma[:, self._slot]
        after = slice(self.theta_part.stop, self.size)
        out[:, after] *= np.where(self._is_log[after], np.exp(x[after]), 1.0)
        return out

    def layout(self) -> Layout:
        """Say for kernels where the packed values go."""
        free = [self.model.theta[i] for i in self.theta]
        bounds = [(t.lower, t.upper, _scale(t)) for t in free]
        return Layout(
            theta=self._theta,
            factor=self._factor,
            sigma=self._sigma,
            free=_table([(i, _bounding(t)) for i, t in zip(self.theta, free, strict=True)], 2),
            bounds=np.array(bounds, dtype=float).reshape(-1, 3),
            entry=np.ascontiguousarray(
                np.column_stack([self._source, self._row, self._column]), dtype=np.int64
            ),
            slot=np.array(self._slot, dtype=np.int64),
        )

    @np.errstate(over="ignore", invalid="ignore")
    def natural(self, x: Vector) -> Vector:
        """Return the free parameters on their own scale: thetas, (co)variances, coefficients.

        Of one packed vector, or of any array (..., size) of them.
        """
        out = np.exp(x)
        for k, i in enumerate(self.theta):
            out[..., k] = _from_free(self.model.theta[i], x[..., k])[0]
        for block, part in zip(self.blocks, self.block_parts, strict=True):
            lower = unpack_factor(x[..., part], len(block.parameters))
            matrix = lower @ np.swapaxes(lower, -1, -2)
            rows, columns, _ = triangle(len(block.parameters))
            out[..., part] = matrix[..., rows, columns]
        return out

    def natural_jacobian(self, x: Vector) -> Vector:
        """Differentiate `natural` in the packed vector: an array (size, size)."""
        jacobian = np.zeros((self.size, self.size))
        k = len(self.theta)
        jacobian[np.arange(k), np.arange(k)] = self.theta_slopes(x)
        for lower in self._free_factors(x):
            size = len(lower)
            entries = [(i, j) for i in range(size) for j in range(i + 1)]
            for column, (i, j) in enumerate(entries):
                change = np.zeros_like(lower)
                change[i, j] = lower[i, i] if i == j else 1.0
                moved = change @ lower.T
                moved = moved + moved.T
                for row, (a, b) in enumerate(entries):
                    jacobian[k + row, k + column] = moved[a, b]
            k += len(entries)
        for place in range(k, self.size):
            jacobian[place, place] = np.exp(x[place])
        return jacobian

    def at(self, x: Vector) -> Model:
        """Return the model with `x` as its initial values."""
        values = self.unpack(x)
        theta = tuple(
            replace(t, init=float(v)) for t, v in zip(self.model.theta, values.theta, strict=True)
        )
        omega = tuple(
            replace(b, matrix=tuple(tuple(float(v) for v in row) for row in matrix))
            for b, matrix in zip(self.model.omega, self._matrices(x), strict=True)
        )
        sigmas = tuple(
            replace(s, init=float(values.sigma[SIGMA_SLOT[s.name]]))
            for s in self.model.residual.sigmas
        )
        residual = replace(self.model.residual, sigmas=sigmas)
        return replace(self.model, theta=theta, omega=omega, residual=residual)
