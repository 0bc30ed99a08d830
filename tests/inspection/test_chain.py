"""The chain rule through pipelines of mixed columns, against differences on the raw columns."""

import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

from skgrad import LogisticRegression
from skgrad.inspection import NonDifferentiableError, input_gradients

NUMERIC = ["age", "income", "debt"]
RESPONSES = ["decision_function", "predict_proba", "predict_log_proba"]


@pytest.mark.parametrize("response", RESPONSES)
def test_gradients_in_raw_columns_match_differences(pipeline, people, response):
    frame, _ = people
    gradients = input_gradients(pipeline, frame, response_method=response)
    for column in NUMERIC:
        h = 1e-5 * frame[column].std()
        ends = [frame.assign(**{column: frame[column] + step}) for step in (h, -h)]
        values = [np.reshape(getattr(pipeline, response)(end), (200, -1))[:, -1] for end in ends]
        here = gradients[:, frame.columns.get_loc(column)]
        np.testing.assert_allclose(here, (values[0] - values[1]) / (2 * h), rtol=1e-6, atol=1e-9)


def test_categories_have_no_derivative_and_missing_entries_a_derivative_of_zero(pipeline, people):
    gradients = input_gradients(pipeline, people[0])
    assert np.isnan(gradients[:, 2]).all()
    missing = people[0]["age"].isna()
    assert (gradients[missing, 0] == 0.0).all()
    assert (gradients[~missing, 0] != 0.0).all()


def test_target_picks_the_class(pipeline, people):
    yes = input_gradients(pipeline, people[0], target="yes")
    np.testing.assert_array_equal(yes, input_gradients(pipeline, people[0]))
    np.testing.assert_array_equal(-yes, input_gradients(pipeline, people[0], target="no"))


def test_chunks_make_no_difference(pipeline, people):
    whole = input_gradients(pipeline, people[0])
    np.testing.assert_array_equal(input_gradients(pipeline, people[0], batch_size=7), whole)


def test_column_used_twice_collects_from_both():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 2))
    union = FeatureUnion(
        [("same", "passthrough"), ("scaled", StandardScaler())], transformer_weights={"same": 3.0}
    )
    pipeline = make_pipeline(union, LogisticRegression()).fit(X, X[:, 0] > 0)
    coef = pipeline[-1].coef_[0]
    expected = 3.0 * coef[:2] + coef[2:] / X.std(axis=0)
    np.testing.assert_allclose(input_gradients(pipeline, X), np.tile(expected, (50, 1)), rtol=1e-12)


def test_step_without_derivative_is_named(people):
    frame, y = people
    pipeline = make_pipeline(KBinsDiscretizer(), LogisticRegression()).fit(frame[["income"]], y)
    with pytest.raises(NonDifferentiableError, match=r"in step 'kbins.*column income.*fallback"):
        input_gradients(pipeline, frame[["income"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="age"), r"missing \['age'\]"),
        (lambda frame: frame.assign(height=1.0), r"not known \['height'\]"),
        (lambda frame: frame[frame.columns[::-1]], "another order"),
    ],
)
def test_wrong_columns_are_named(pipeline, people, change, message):
    with pytest.raises(ValueError, match=message):
        input_gradients(pipeline, change(people[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "maybe"}, r"target must be one of the classes \['no', 'yes'\]"),
        ({"response_method": "predict"}, "class labels"),
        ({"response_method": "score"}, "response_method must be"),
        ({"at_step": 7}, "at_step must be between -2 and 1"),
        ({"fallback": "zero"}, "fallback must be"),
    ],
)
def test_wrong_questions_are_answered_with_what_is_known(pipeline, people, options, message):
    with pytest.raises(ValueError, match=message):
        input_gradients(pipeline, people[0], **options)
