"""What coverage to expect of a design: its model made linear, fitted by maximum likelihood.

Log concentrations are taken as linear in log CL and log V about the truth, with normal errors. The
effects then integrate out in closed form, so that nothing here shares code or approximations with
the methods; what is left is what the size of a trial, and the mixing of residual error and effects
in few samples, do to Wald intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NORMAL_QUANTILE = 1.959963984540054
ITERATIONS, DONE = 100, 1e-9
STEP = 1e-5
ENTRIES = ((0, 0), (0, 1), (1, 1))
"""Of Omega, in the order of the parameters: two means, these, the residual variance."""


@dataclass(frozen=True)
class Group:
    """Subjects with the same times: slopes of log f in log CL and log V, and how many they are."""

    slopes: np.ndarray
    count: int


def slopes(times: np.ndarray, cl: float, v: float, stop: float) -> np.ndarray:
    """Differentiate the log concentration of an infusion in log CL and log V: (times, 2)."""
    k = cl / v
    on = np.minimum(times, stop)
    by_k = k * on / np.expm1(k * on) - k * (times - on)
    return np.column_stack([by_k - 1.0, -by_k])


def _parts(group: Group, p: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Covariance matrix of a subject's log concentrations and its derivatives."""
    x = group.slopes
    unit = np.eye(2)
    changes = []
    for i, j in ENTRIES:
        one = np.outer(unit[i], unit[j])
        changes.append(x @ (one + one.T if i != j else one) @ x.T)
    changes.append(np.eye(len(x)))
    return sum(value * change for value, change in zip(p[2:], changes, strict=True)), changes


def scores(groups: list[Group], data: list[np.ndarray], p: np.ndarray) -> np.ndarray:
    """Differentiate the log likelihood of every subject: an array (subjects, 6)."""
    out = []
    for group, y in zip(groups, data, strict=True):
        matrix, changes = _parts(group, p)
        inverse = np.linalg.inv(matrix)
        weighted = (y - group.slopes @ p[:2]) @ inverse
        columns = [
            0.5 * (np.einsum("ni,ij,nj->n", weighted, c, weighted) - np.sum(inverse * c))
            for c in changes
        ]
        out.append(np.column_stack([weighted @ group.slopes, *columns]))
    return np.concatenate(out)


def fisher(groups: list[Group], p: np.ndarray) -> np.ndarray:
    """Compute the expected information."""
    total = np.zeros((6, 6))
    for group in groups:
        matrix, changes = _parts(group, p)
        inverse = np.linalg.inv(matrix)
        total[:2, :2] += group.count * group.slopes.T @ inverse @ group.slopes
        moved = [inverse @ c for c in changes]
        products = np.array([[np.sum(a * b.T) for b in moved] for a in moved])
        total[2:, 2:] += 0.5 * group.count * products
    return total


def is_inside(p: np.ndarray) -> bool:
    """Tell whether Omega is positive definite and the residual variance positive."""
    return bool(p[2] > 0.0 and p[4] > 0.0 and p[2] * p[4] > p[3] ** 2 and p[5] > 0.0)


def maximise(groups: list[Group], data: list[np.ndarray], start: np.ndarray) -> np.ndarray | None:
    """Find the maximum by Fisher scoring; None where it is at a boundary."""
    p = start
    for _ in range(ITERATIONS):
        score = scores(groups, data, p).sum(axis=0)
        step = np.linalg.solve(fisher(groups, p), score)
        share = 1.0
        while not is_inside(p + share * step):
            share *= 0.5
            if share < 1e-6:
                return None
        p = p + share * step
        if share == 1.0 and score @ step < DONE:
            return p
    return None


def information(groups: list[Group], data: list[np.ndarray], p: np.ndarray) -> np.ndarray:
    """Observed information, by differences of the score."""
    rows = []
    for k in range(p.size):
        step = np.zeros_like(p)
        step[k] = STEP * max(abs(p[k]), 0.01)
        above, below = (scores(groups, data, p + s).sum(axis=0) for s in (step, -step))
        rows.append((below - above) / (2.0 * step[k]))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def coverage(
    groups: list[Group], omega: np.ndarray, sigma: float, trials: int
) -> dict[str, np.ndarray]:
    """Coverage of the six 95 % intervals by where their errors are from: ``"r"``, ``"sandwich"``.

    Intervals are symmetric for the means and the covariance, and for the logarithms of variances
    and of the residual deviation. Trials whose maximum is at a boundary are left out.
    """
    rng = np.random.default_rng(1)
    lower = np.linalg.cholesky(omega)
    truth = np.r_[0.0, 0.0, [omega[e] for e in ENTRIES], sigma**2]
    is_log = np.array([False, False, True, False, True, True])
    kept: dict[str, list[np.ndarray]] = {"r": [], "sandwich": []}
    for _ in range(trials):
        data = [
            rng.normal(size=(g.count, 2)) @ lower.T @ g.slopes.T
            + sigma * rng.normal(size=(g.count, len(g.slopes)))
            for g in groups
        ]
        p = maximise(groups, data, truth)
        if p is None:
            continue
        inverse = np.linalg.inv(information(groups, data, p))
        by_subject = scores(groups, data, p)
        own = {"r": inverse, "sandwich": inverse @ (by_subject.T @ by_subject) @ inverse}
        off = p - truth
        off[is_log] = np.log(p[is_log] / truth[is_log])
        for errors_from, matrix in own.items():
            se = np.sqrt(np.diag(matrix)) / np.where(is_log, p, 1.0)
            kept[errors_from].append(np.abs(off) <= NORMAL_QUANTILE * se)
    return {errors_from: np.mean(rows, axis=0) for errors_from, rows in kept.items()}
