"""Interpolation along great circles.

All of it happens in the span of the inputs: one pass for their inner products, the geometry on the small Gram matrix in
float64, one pass for the weighted sum.

slerp (Shoemake 1985), nuslerp, multislerp (Goddard), karcher (arXiv 2603.04972), as mergekit 0.1.5 has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import StepFailed
from workbench.merging.kernels.averages import gram_of, scalar
from workbench.merging.kernels.group import Group
from workbench.merging.kernels.passes import ONE, Passes

Settings = Mapping[str, Any]


def slerp(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """From the base (t = 0) to the other model (t = 1); nearly parallel tensors are interpolated linearly."""
    gram = gram_of(passes, group, False, None)
    norms = np.sqrt(np.diagonal(gram))
    norms = np.where(norms > 1e-8, norms, 1.0)
    dot = float(np.clip(gram[0, 1] / (norms[0] * norms[1]), -1, 1))
    t = float(shared["t"])
    of_base, of_other = 1 - t, t
    if abs(dot) <= 0.9995:
        theta = np.arccos(dot)
        of_base, of_other = (np.sin(np.array([1 - t, t]) * theta) / np.sin(theta)).tolist()
    return passes.combine(group, [scalar(of_other), scalar(of_base)], False, ONE, out)


def nuslerp(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """SLERP of two models, or of two task vectors, over the tensor, its rows, or its columns (`nuslerp_row_wise`)."""
    first, second = (float(settings["weight"]) for settings in each)
    t = 0.5 if abs(first + second) < 1e-6 else second / (first + second)
    about_base = group.base is not None
    axis = None if shared["nuslerp_flatten"] else (0 if shared["nuslerp_row_wise"] and len(group.shape) > 1 else 1)
    gram = gram_of(passes, group, about_base, axis)
    norms = np.maximum(np.sqrt(np.diagonal(gram, axis1=-2, axis2=-1)), 1e-7)
    cosine = np.clip(gram[..., 0, 1] / (norms[..., 0] * norms[..., 1]), -1, 1)
    parallel = 1 - cosine**2 <= 1e-16
    theta = np.arccos(np.where(parallel, 0.0, cosine))
    factors = [
        np.where(parallel, share, np.sin(share * theta) / np.sin(theta)).astype(np.float32) for share in (1 - t, t)
    ]
    shape = {None: (1, 1), 1: (-1, 1), 0: (1, -1)}[axis]
    return passes.combine(group, [f.reshape(shape) for f in factors], about_base, ONE, out)


def multislerp(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """Barycentric interpolation on the sphere: tangent space at the weighted mean, and back."""
    about_base = group.base is not None
    m = len(group.models)
    if m == 1:  # as mergekit: the model itself, not base + task vector
        whole = [scalar(1.0)] * 1 + [scalar(0.0)] * about_base
        return passes.combine(group, whole, False, ONE, out)
    weights = np.array([settings["weight"] for settings in each], np.float64)
    if shared["normalize_weights"]:
        weights = weights / weights.sum()
    gram = gram_of(passes, group, about_base, None)[:m, :m]
    factors = _barycentre(gram, weights, float(shared["eps"]), group.name)
    return passes.combine(group, [scalar(f) for f in factors], about_base, ONE, out)


def _barycentre(gram: NDArray[np.float64], weights: NDArray[np.float64], eps: float, name: str) -> NDArray[np.float64]:
    """Factors of the inputs. Raises StepFailed when their weighted directions cancel."""
    norms = np.sqrt(np.diagonal(gram))
    unit = np.diag(1 / (norms + eps))  # rows: unit vectors as factors of the inputs

    def inner(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(a @ gram @ b)

    mean = weights @ unit
    length = np.sqrt(max(inner(mean, mean), 0.0))
    if length < eps:
        if len(weights) == 2:
            return weights
        raise StepFailed(f"multislerp: the weighted directions of {name} cancel out. Give the models other weights.")
    mean = mean / length
    tangent = np.zeros_like(mean)
    for weight, direction in zip(weights, unit, strict=True):
        tangent += weight * (direction - inner(direction, mean) * mean)
    angle = float(np.sqrt(np.maximum(inner(tangent, tangent), 0.0))) + eps
    factors: NDArray[np.float64] = (mean * np.cos(angle) + tangent * (np.sin(angle) / angle)) * (norms @ weights)
    return factors


def karcher(passes: Passes, group: Group, shared: Settings, each: Sequence[Settings], out: Any) -> bool:
    """The point on the sphere with the least sum of squared angles to all inputs, times their mean norm."""
    m = len(group.models)
    gram = gram_of(passes, group, False, None)
    factors = np.ones(1) if m == 1 else _karcher_mean(gram, int(shared["max_iter"]), float(shared["tol"]))
    return passes.combine(group, [scalar(f) for f in factors], False, ONE, out)


def _karcher_mean(gram: NDArray[np.float64], max_iter: int, tol: float) -> NDArray[np.float64]:
    """Factors of the inputs; inputs of norm up to `tol` have no direction and are left out of the mean."""
    norms = np.sqrt(np.diagonal(gram))
    valid = np.flatnonzero(norms > tol)
    if not valid.size:
        return np.zeros(len(norms))
    units = np.eye(len(norms))[valid] / norms[valid, None]

    def norm(v: NDArray[np.float64]) -> float:
        return float(np.sqrt(np.maximum(v @ gram @ v, 0.0)))

    mean = units.mean(axis=0)
    mean = units[0] if norm(mean) < tol else mean / norm(mean)
    for _ in range(max_iter):
        tangent = np.zeros_like(mean)
        for unit in units:
            dot = float(np.clip(mean @ gram @ unit, -1, 1))
            theta = np.arccos(dot)
            if theta >= tol:
                tangent += (theta / np.sin(theta)) * (unit - dot * mean) / len(units)
        length = norm(tangent)
        if length < tol:
            break
        mean = np.cos(length) * mean + np.sin(length) * (tangent / length)
        mean = mean / norm(mean) if norm(mean) > tol else mean
    factors: NDArray[np.float64] = norms.mean() * mean
    return factors
