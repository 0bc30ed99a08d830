"""Rules of predictors that are made of others against central differences."""

import re

import numpy as np
import pandas as pd
import pytest
from responses import TARGETS, X, assert_close, assert_response, assert_responses, gradients
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR

from skgrad import LogisticRegression, Ridge
from skgrad.inspection import (
    FiniteDifferenceWarning,
    NonDifferentiableError,
    input_gradients,
    register_jacobian,
)

LOGISTIC = LogisticRegression()
NETS = [("a", LOGISTIC), ("b", GaussianNB()), ("gone", "drop")]
REGRESSORS = [("a", Ridge()), ("gone", "drop"), ("b", SVR())]


def shown(value):
    """Name a case without the addresses of its functions, which differ from run to run."""
    return re.sub(" at 0x[0-9a-f]+", "", str(value))


@pytest.mark.parametrize("target", ["two", "three"])
@pytest.mark.parametrize(
    "estimator",
    [
        VotingClassifier(NETS, voting="soft"),
        VotingClassifier(NETS, voting="soft", weights=[1.0, 3.0, 2.0]),
        BaggingClassifier(LOGISTIC, 5, max_features=0.75, bootstrap_features=True, random_state=0),
        StackingClassifier([*NETS, ("c", SVC()), ("d", RidgeClassifier())], cv=3),
        StackingClassifier(NETS, final_estimator=SVC(), passthrough=True, cv=3),
        CalibratedClassifierCV(LOGISTIC, cv=3),
        CalibratedClassifierCV(SVC(), ensemble=False, cv=3),
        CalibratedClassifierCV(GaussianNB(), cv=3),
        CalibratedClassifierCV(LOGISTIC, method="temperature", cv=3),
        CalibratedClassifierCV(GaussianNB(), method="temperature", cv=3),
        OneVsRestClassifier(LOGISTIC),
        OneVsRestClassifier(SVC()),
        OneVsOneClassifier(SVC()),
        OneVsOneClassifier(LOGISTIC),
        GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1.0, 2.0]}, cv=2),
    ],
    ids=shown,
)
def test_classifiers_of_classifiers(estimator, target):
    assert_responses(estimator, target)


def test_bags_that_lack_a_class():
    estimator = BaggingClassifier(LOGISTIC, 4, max_samples=6, random_state=2)
    estimator.fit(X, TARGETS["three"])
    assert min(len(part.classes_) for part in estimator.estimators_) == 2
    assert_response(estimator, X[:15], "predict_proba")
    assert_response(estimator, X[:15], "predict_log_proba")
    with pytest.raises(NonDifferentiableError, match="have not seen all classes"):
        input_gradients(estimator, X)


@pytest.mark.parametrize(
    "estimator",
    [
        VotingRegressor(REGRESSORS, weights=[1.0, 5.0, 2.0]),
        BaggingRegressor(SVR(), 4, max_features=2, random_state=0),
        StackingRegressor(REGRESSORS, final_estimator=SVR(), passthrough=True, cv=3),
        FrozenEstimator(SVR().fit(X, TARGETS["numbers"])),
    ],
    ids=shown,
)
def test_regressors_of_regressors(estimator):
    assert_responses(estimator, "numbers")


def test_thresholds_leave_scores_alone():
    assert_responses(FixedThresholdClassifier(LOGISTIC, pos_label="yes"), "two")
    assert_responses(TunedThresholdClassifierCV(LOGISTIC, scoring="accuracy", cv=2), "two")


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        (MultiOutputRegressor(SVR()), "pairs"),
        (RegressorChain(SVR(), order=[1, 0]), "pairs"),
        (OneVsRestClassifier(LOGISTIC), "labels"),
        (OneVsRestClassifier(LOGISTIC), "more labels"),
        (ClassifierChain(LOGISTIC, chain_method="predict_proba", order=[1, 0]), "labels"),
        (ClassifierChain(LOGISTIC, chain_method="predict_log_proba"), "more labels"),
        (
            ClassifierChain(LOGISTIC, chain_method="decision_function", order=[1, 2, 0]),
            "more labels",
        ),
    ],
    ids=shown,
)
def test_several_outputs(estimator, target):
    assert_responses(estimator, target)


def test_classes_of_several_outputs_stand_side_by_side():
    target = np.column_stack([TARGETS["two"], TARGETS["three"]])
    estimator = MultiOutputClassifier(LOGISTIC).fit(X, target)
    assert_response(estimator, X[:15], "predict_proba")


class Logarithm(TransformerMixin, BaseEstimator):
    """The logarithm of a positive target, backwards exp."""

    def fit(self, y, _=None):
        self.n_features_in_ = y.shape[1]
        return self

    def transform(self, y):
        return np.log(y)

    def inverse_transform(self, z):
        return np.exp(z)


register_jacobian(Logarithm, lambda step, y, cotangent: cotangent / y)


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        (TransformedTargetRegressor(SVR()), "counts"),
        (TransformedTargetRegressor(SVR(), func=np.log1p, inverse_func=np.expm1), "counts"),
        (TransformedTargetRegressor(SVR(), transformer=Logarithm()), "counts"),
        (TransformedTargetRegressor(Ridge(), transformer=StandardScaler()), "pairs"),
        (TransformedTargetRegressor(Ridge(), transformer=PowerTransformer()), "pairs"),
        (
            TransformedTargetRegressor(
                Ridge(), transformer=MinMaxScaler(clip=True), check_inverse=False
            ),
            "numbers",
        ),
        (
            TransformedTargetRegressor(
                Ridge(), func=lambda y: 3.0 * y, inverse_func=lambda z: z / 3.0
            ),
            "numbers",
        ),
    ],
    ids=shown,
)
def test_transformed_targets(estimator, target):
    assert_responses(estimator, target)


def test_inverse_that_is_cut_off_is_flat_there():
    quantiles = QuantileTransformer(n_quantiles=20)
    regressor = TransformedTargetRegressor(Ridge(), transformer=quantiles, check_inverse=False)
    regressor.fit(X, TARGETS["numbers"])
    wide = 3.0 * X[:15]
    assert_response(regressor, wide, "predict")
    raw = regressor.regressor_.predict(wide)
    outside = (raw < 0.0) | (raw > 1.0)
    assert 0 < outside.sum() < 15
    found = input_gradients(regressor, wide)
    assert (found[outside] == 0.0).all()
    assert (found[~outside] != 0.0).all()


def test_raw_of_a_transformed_target_is_what_the_regressor_predicts():
    regressor = TransformedTargetRegressor(Ridge(), transformer=Logarithm())
    regressor.fit(X, TARGETS["counts"])
    np.testing.assert_array_equal(
        input_gradients(regressor, X, response_method="raw"),
        input_gradients(regressor.regressor_, X),
    )


def test_inverse_without_a_known_derivative_is_refused_or_differenced():
    regressor = TransformedTargetRegressor(
        Ridge(), func=lambda y: y**3, inverse_func=np.cbrt, check_inverse=False
    ).fit(X, TARGETS["counts"])
    with pytest.raises(NonDifferentiableError, match="FunctionTransformer whose inverse"):
        input_gradients(regressor, X)
    with pytest.warns(FiniteDifferenceWarning, match="TransformedTargetRegressor"):
        found = input_gradients(regressor, X, fallback="difference")
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("estimator", "target", "reason"),
    [
        (VotingClassifier(NETS), "two", "VotingClassifier.*counts votes"),
        (BaggingClassifier(SVC(), 2), "two", "BaggingClassifier.*counts votes"),
        (
            CalibratedClassifierCV(SVC(), method="isotonic", cv=3),
            "two",
            "CalibratedClassifierCV.*isotonic",
        ),
        (
            StackingClassifier([("a", LOGISTIC)], stack_method="predict", cv=3),
            "two",
            "LogisticRegression in step 'a'.*predicts labels",
        ),
        (ClassifierChain(LOGISTIC), "labels", "LogisticRegression in step '0'.*predicts labels"),
        (
            StackingClassifier([("forest", RandomForestClassifier(2)), ("a", LOGISTIC)], cv=3),
            "two",
            "RandomForestClassifier in step 'forest'.*trees",
        ),
    ],
)
def test_jumps_inside_are_refused_by_name(estimator, target, reason):
    estimator.fit(X, TARGETS[target])
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "raw"
    with pytest.raises(NonDifferentiableError, match=reason):
        input_gradients(estimator, X, response_method=method)


def test_parts_on_a_data_frame():
    frame = pd.DataFrame(X, columns=["age", "income", "debt", "rate"])
    for estimator in (
        VotingClassifier(NETS, voting="soft"),
        BaggingClassifier(LOGISTIC, 3, max_features=2, random_state=0),
        StackingClassifier(NETS, cv=3, passthrough=True),
        CalibratedClassifierCV(LOGISTIC, cv=3),
        OneVsRestClassifier(LOGISTIC),
        OneVsOneClassifier(LOGISTIC),
    ):
        estimator.fit(frame, TARGETS["three"])
        method = "predict_proba" if hasattr(estimator, "predict_proba") else "decision_function"
        found = gradients(estimator, frame, method)
        estimator.fit(X, TARGETS["three"])
        assert_close(found, gradients(estimator, X, method), 1e-9)
