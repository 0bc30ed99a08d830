"""scikit-learn's own checks of an estimator, and of its constructor's defaults."""

import inspect

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import skgrad
from skgrad.linear_model import __all__ as names

ESTIMATORS = [getattr(skgrad, name)() for name in names]


@parametrize_with_checks(ESTIMATORS)  # no expected failures
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_constructors_store_primitives(estimator):
    assert vars(estimator) == estimator.get_params(deep=False)
    parameters = inspect.signature(type(estimator)).parameters.values()
    assert all(isinstance(p.default, int | float | str | None) for p in parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_every_parameter_is_validated_and_documented(estimator):
    assert set(estimator._parameter_constraints) == set(estimator.get_params())
    for name in estimator.get_params():
        assert name in type(estimator).__doc__
