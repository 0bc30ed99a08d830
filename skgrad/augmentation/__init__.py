"""Augmentation: what is done to a mini-batch's rows before a network sees them."""

from collections.abc import Sequence
from typing import TypeAlias

from skgrad._parameters import unknown_name
from skgrad.augmentation._base import Augmentation
from skgrad.augmentation.composition import Chain, Function, FunctionAugmentation
from skgrad.augmentation.feature_dropout import FeatureDropout
from skgrad.augmentation.gaussian_noise import GaussianNoise
from skgrad.augmentation.mixup import Mixup

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Chain",
    "FeatureDropout",
    "FunctionAugmentation",
    "GaussianNoise",
    "Mixup",
    "get_augmentation",
]

Step: TypeAlias = str | Augmentation | Function

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "gaussian_noise": GaussianNoise,
    "mixup": Mixup,
    "feature_dropout": FeatureDropout,
}


def get_augmentation(
    augmentation: Step | Sequence[Step] | None,
) -> Augmentation | None:
    """Turn a name, a function or several of them into one augmentation.

    Parameters
    ----------
    augmentation : None, str, Augmentation, callable, or list or tuple of the last three
        None, or an empty list, for none; a key of `AUGMENTATIONS`, with its default parameters; an
        object; a function as for `FunctionAugmentation`. Several are applied in their order.

    Returns
    -------
    Augmentation or None

    Raises
    ------
    ValueError
        If a name is unknown, with the known ones and the closest match, or a parameter is out of
        range.

    Examples
    --------
    >>> from skgrad.augmentation import GaussianNoise, get_augmentation
    >>> get_augmentation("mixup")
    Mixup()
    >>> get_augmentation([GaussianNoise(0.05), "mixup"])
    Chain(steps=[GaussianNoise(scale=0.05), Mixup()])
    """
    if augmentation is None:
        return None
    if isinstance(augmentation, Sequence) and not isinstance(augmentation, str):
        steps = [_one(step) for step in augmentation]
        return Chain(steps) if steps else None
    return _one(augmentation)


def _one(augmentation: Step) -> Augmentation:
    if isinstance(augmentation, Augmentation):
        augmentation.validate()
        return augmentation
    if isinstance(augmentation, str) and augmentation in AUGMENTATIONS:
        return AUGMENTATIONS[augmentation]()
    if callable(augmentation) and not isinstance(augmentation, type):
        return FunctionAugmentation(augmentation)
    instead = "an Augmentation object, a function of (X, y, rng)"
    raise unknown_name("augmentation", augmentation, AUGMENTATIONS, instead)
