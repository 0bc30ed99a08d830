"""Second derivatives of responses in the raw predictions."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import NoReturn

import numpy as np
from scipy.special import expit, softmax

from skgrad._typing import FloatArray
from skgrad.inspection.chain import Link, NonDifferentiableError
from skgrad.inspection.models.links import (
    EXP,
    LOG_SIGMOID,
    SIGMOID,
    Elementwise,
    LogSoftmax,
    Softmax,
    TwoClasses,
)


@singledispatch
def bend(link: Link, raw: FloatArray, cotangent: FloatArray, direction: FloatArray) -> FloatArray:
    r"""Differentiate the pull of a link along a direction.

    .. math:: \sum_l \frac{\partial^2 \, c^\top link(z)}{\partial z_k \partial z_l} d_l

    Parameters
    ----------
    link : Link
    raw, direction : ndarray of shape (n_samples, n_raw)
        z and d.
    cotangent : ndarray of shape (n_samples, n_responses)
        c.

    Returns
    -------
    ndarray of shape (n_samples, n_raw)
    """
    _unknown(link)


def _unknown(link: Link) -> NoReturn:
    raise NonDifferentiableError(
        f"The second derivative of {type(link).__name__} is not known, which the error of a mean"
        ' effect needs. Use vcov="bootstrap", or response_method="decision_function".'
    )


def _slope_of_softmax(raw: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    p: FloatArray = softmax(raw, axis=1)
    return p, p * (direction - (p * direction).sum(axis=1, keepdims=True))


@bend.register
def _(link: Softmax, raw: FloatArray, cotangent: FloatArray, direction: FloatArray) -> FloatArray:
    p, change = _slope_of_softmax(raw, direction)
    mean = (p * cotangent).sum(axis=1, keepdims=True)
    bent: FloatArray = change * (cotangent - mean)
    bent -= p * (change * cotangent).sum(axis=1, keepdims=True)
    return bent


@bend.register
def _(
    link: LogSoftmax, raw: FloatArray, cotangent: FloatArray, direction: FloatArray
) -> FloatArray:
    _, change = _slope_of_softmax(raw, direction)
    return -change * cotangent.sum(axis=1, keepdims=True)


def _sigmoid_curvature(z: FloatArray) -> FloatArray:
    curvature: FloatArray = expit(z) * expit(-z) * -np.tanh(0.5 * z)
    return curvature


CURVATURES: dict[Elementwise, Callable[[FloatArray], FloatArray]] = {
    SIGMOID: _sigmoid_curvature,
    LOG_SIGMOID: lambda z: -expit(z) * expit(-z),
    EXP: np.exp,
}


@bend.register
def _(
    link: Elementwise, raw: FloatArray, cotangent: FloatArray, direction: FloatArray
) -> FloatArray:
    if link not in CURVATURES:
        _unknown(link)
    bent: FloatArray = CURVATURES[link](raw) * cotangent * direction
    return bent


@bend.register
def _(
    link: TwoClasses, raw: FloatArray, cotangent: FloatArray, direction: FloatArray
) -> FloatArray:
    negative, positive = cotangent[:, :1], cotangent[:, 1:]
    return bend(link.link, raw, positive, direction) + bend(link.link, -raw, negative, direction)
