"""Augmentations: what they change, how much, and what they leave alone."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from tolerances import arithmetic

from skgrad import augmentation
from skgrad.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    Chain,
    FeatureDropout,
    FunctionAugmentation,
    GaussianNoise,
    Mixup,
    get_augmentation,
)


def halve(X, y, rng):
    return X / 2, y


EVERY = [
    GaussianNoise(np.float64(0.3)),
    GaussianNoise([0.0, 1.0, 2.0]),
    Mixup(np.float64(0.7)),
    FeatureDropout(np.float64(0.4)),
    FeatureDropout(0.4, fill="zero"),
    FunctionAugmentation(halve),
    Chain([GaussianNoise(), Mixup()]),
]
every_augmentation = pytest.mark.parametrize(
    "augment", EVERY, ids=lambda augment: type(augment).__name__
)
SCALE = np.array([1.0, 10.0, 0.1])


def batch(n=200, dtype=np.float64, n_outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, 3)) * SCALE + 5.0).astype(dtype)
    shape = n if n_outputs is None else (n, n_outputs)
    return X, rng.normal(size=shape).astype(dtype)


@every_augmentation
@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize("n_outputs", [None, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_dtype_seed_and_targets_are_kept(augment, dtype, n_outputs, n):
    X, y = batch(n, dtype, n_outputs)
    before = y.copy()
    results = [augment.apply(X.copy(), y, np.random.default_rng(seed), SCALE) for seed in (1, 1, 2)]
    for new_X, new_y in results:
        assert (new_X.shape, new_X.dtype) == (X.shape, X.dtype)
        assert (new_y.shape, new_y.dtype) == (y.shape, y.dtype)
        if not augment.mixes_targets:
            np.testing.assert_array_equal(new_y, before)
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    random = not isinstance(augment, FunctionAugmentation)
    if n == 50:
        assert np.array_equal(results[0][0], results[2][0]) != random


# Gaussian noise


@pytest.mark.parametrize(
    ("scale", "deviation"),
    [(0.2, 0.2 * SCALE), ([0.0, 3.0, 0.5], [0.0, 3.0, 0.5]), (0.0, [0.0, 0.0, 0.0])],
)
def test_noise_has_the_deviation_asked_for(scale, deviation, rng):
    X, y = batch(40_000)
    noise = GaussianNoise(scale).apply(X.copy(), y, rng, SCALE)[0] - X
    # Five standard errors: deviation / sqrt(2 n), and deviation / sqrt(n).
    np.testing.assert_allclose(noise.std(axis=0), deviation, rtol=5 / np.sqrt(80_000))
    assert (np.abs(noise.mean(axis=0)) <= 5 * np.asarray(deviation) / 200).all()
    if np.all(deviation):
        assert np.abs(np.corrcoef(noise.T)[0, 1]) < 5 / 200


def test_noise_refuses_a_scale_per_column_of_other_data(rng):
    with pytest.raises(ValueError, match=r"scale of shape \(2,\), but X has 3 columns"):
        GaussianNoise([1.0, 2.0]).apply(*batch(), rng, SCALE)


# Mixup


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixup_mixes_rows_and_targets_alike(dtype, rng):
    X, _ = batch(dtype=dtype)
    new_X, new_y = Mixup(1.0).apply(X.copy(), X[:, :2].copy(), rng, SCALE)
    tolerance = arithmetic(dtype)
    np.testing.assert_allclose(new_y, new_X[:, :2], rtol=tolerance, atol=tolerance)
    assert not np.allclose(new_X, X)


def test_mixup_has_one_proportion_and_a_permutation(rng):
    index = np.arange(50.0)
    new_X, mixing = Mixup(1.0).apply(index[:, None].copy(), np.eye(50), rng, np.ones(1))
    np.testing.assert_allclose(new_X[:, 0], mixing @ index)
    own = np.diag(mixing).min()
    permutation = (mixing - own * np.eye(50)) / (1 - own)
    np.testing.assert_allclose(permutation.sum(axis=0), 1.0)
    np.testing.assert_allclose(permutation[np.arange(50), permutation.argmax(axis=1)], 1.0)


def test_mixup_keeps_probabilities(rng):
    X, _ = batch(30)
    classes = np.eye(3)[rng.integers(3, size=30)]
    mixed = Mixup(1.0).apply(X, classes, rng, SCALE)[1]
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0, rtol=arithmetic(float))
    assert ((mixed > 0.01) & (mixed < 0.99)).any()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_draws_a_beta_proportion(alpha):
    X, y = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    rng, spreads = np.random.default_rng(0), []
    for _ in range(4000):
        mixed = Mixup(alpha).apply(X.copy(), y, rng, np.ones(1))[1]
        # own * (1, 0) + (1 - own) * (0, 1), or the same row twice.
        spreads.append((mixed[1] - mixed[0]) ** 2)
    # Half of the partners are swapped: (2 own - 1)^2 with mean 4 Var(own) = 1 / (2 alpha + 1).
    expected = 0.5 + 0.5 / (2 * alpha + 1)
    assert np.mean(spreads) == pytest.approx(expected, abs=5 * np.std(spreads) / np.sqrt(4000))


def test_mixup_refuses_codes(rng):
    X, _ = batch()
    with pytest.raises(ValueError, match="classes as rows of probabilities"):
        Mixup().apply(X, np.zeros(len(X), dtype=int), rng, SCALE)


# Feature dropout


@pytest.mark.parametrize("p", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("fill", ["swap", "zero"])
def test_dropout_replaces_a_share_of_entries(p, fill, rng):
    X, y = batch(5000)
    new_X, _ = FeatureDropout(p, fill=fill).apply(X.copy(), y, rng, SCALE)
    changed = new_X != X
    deviation = np.sqrt(p * (1 - p) / X.size)
    assert abs(changed.mean() - p) <= 5 * deviation
    if fill == "zero":
        assert (new_X[changed] == 0).all()
    else:
        for column, old in zip(new_X.T, X.T, strict=True):
            assert np.isin(column, old).all()
    if 0 < p < 1:  # entry by entry, not row by row
        share = changed.mean(axis=1)
        assert len(np.unique(share)) == 4


def test_a_swapped_entry_comes_from_another_row(rng):
    for n in (2, 3):
        X = np.arange(float(n))[:, None].repeat(400, axis=1)
        swapped, _ = FeatureDropout(1.0).apply(X.copy(), np.zeros(n), rng, np.ones(400))
        assert (swapped != X).all()
        assert all(len(np.unique(row)) == n - 1 for row in swapped)


# Several, functions, names


def test_chain_applies_its_steps_in_order():
    def shift(X, y, rng):
        return X + 1, y

    X, y = batch()
    chain = get_augmentation([halve, shift])
    assert not chain.mixes_targets
    new_X, _ = chain.apply(X.copy(), y, np.random.default_rng(0), SCALE)
    np.testing.assert_allclose(new_X, X / 2 + 1)


def test_function_must_keep_shapes(rng):
    with pytest.raises(ValueError, match="an augmentation keeps shapes"):
        FunctionAugmentation(lambda X, y, rng: (X[1:], y)).apply(*batch(), rng, SCALE)


def test_function_cannot_change_the_dtype(rng):
    X, y = batch(dtype=np.float32)
    double = FunctionAugmentation(lambda X, y, rng: (X.astype(float), y.astype(float)))
    assert {array.dtype for array in double.apply(X, y, rng, SCALE)} == {np.dtype(np.float32)}


def test_registry_holds_every_augmentation():
    exported = filter(
        inspect.isclass, (getattr(augmentation, name) for name in augmentation.__all__)
    )
    built_from_others = {Augmentation, Chain, FunctionAugmentation}
    assert set(exported) - built_from_others == set(AUGMENTATIONS.values())


def test_mixes_targets_is_declared():
    mixing = [augment.mixes_targets for augment in EVERY]
    assert mixing == [False, False, True, False, False, False, True]


@every_augmentation
def test_clone_and_get_augmentation(augment):
    assert repr(clone(augment)) == repr(augment)
    assert get_augmentation(augment) is augment


def test_get_augmentation():
    assert get_augmentation(None) is None
    assert get_augmentation([]) is None
    assert {name: type(get_augmentation(name)) for name in AUGMENTATIONS} == AUGMENTATIONS
    assert get_augmentation(halve).function is halve
    assert [type(step) for step in get_augmentation(("mixup", halve)).steps] == [
        Mixup,
        FunctionAugmentation,
    ]


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        (GaussianNoise(-0.1), "scale"),
        (GaussianNoise([0.1, -0.1]), "scale"),
        (Mixup(0.0), "alpha"),
        (FeatureDropout(1.1), "p"),
        (FeatureDropout(fill="mean"), "fill"),
    ],
    ids=repr,
)
def test_validation(wrong, parameter):
    message = f"'{parameter}' parameter of {type(wrong).__name__}"
    with pytest.raises(ValueError, match=message):
        get_augmentation(wrong)
    with pytest.raises(ValueError, match=message):
        get_augmentation(["mixup", wrong])


@pytest.mark.parametrize("wrong", ["mixupp", Mixup, 3, ["mixupp"], [None]])
def test_unknown_augmentations_are_refused(wrong):
    with pytest.raises(ValueError, match=r"Unknown augmentation .*function of \(X, y, rng\)"):
        get_augmentation(wrong)
