"""The marginal likelihood and its score by brute force: a sum over a fine grid of the effects.

Independent of modes, curvatures and draws; for one or two effects.
"""

from __future__ import annotations

import numpy as np

from pkmodel.problem import Problem

REACH, POINTS = 7.0, {1: 1401, 2: 181}
"""Half width in standard deviations of the effects, and points along each."""


def _grid(problem: Problem, points: int) -> tuple[np.ndarray, float]:
    """Return effects, array (subjects, nodes, n), and the size of a cell in prior densities."""
    n = len(problem.effects)
    line = np.linspace(-REACH, REACH, points)
    nodes = np.stack(np.meshgrid(*[line] * n, indexing="ij"), axis=-1).reshape(1, -1, n)
    cell = float((line[1] - line[0]) / np.sqrt(2.0 * np.pi)) ** n
    return np.ascontiguousarray(np.repeat(nodes, problem.n_subjects, axis=0)), cell


def grid_objectives(problem: Problem, x: np.ndarray, points: int) -> np.ndarray:
    """Return the objective of each subject."""
    u, cell = _grid(problem, points)
    value = problem.joint(x, u)
    least = np.min(value, axis=1)
    weight = np.exp(least[:, None] - value)
    return np.asarray(2.0 * least - 2.0 * np.log(np.sum(weight, axis=1) * cell))


def grid_score(problem: Problem, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the objective and its gradient in the packed parameters."""
    n = len(problem.effects)
    u, cell = _grid(problem, POINTS[n])
    value, slope = problem.joint_slopes(x, u)
    least = np.min(value, axis=1, keepdims=True)
    weight = np.where(np.isfinite(value), np.exp(least - value), 0.0)
    total = np.sum(weight, axis=1)
    objective = float(np.sum(2.0 * least[:, 0] - 2.0 * np.log(total * cell)))
    by_x = np.where(weight[:, :, None] > 0.0, slope[:, :, n:], 0.0)
    gradient = 2.0 * np.einsum("ik,ikp,i->p", weight, by_x, 1.0 / total)
    return objective, gradient
