"""The estimators within scikit-learn."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from relucert import ReLUClassifier, ReLURegressor


@parametrize_with_checks([ReLURegressor(), ReLUClassifier()])
def test_conventions(estimator, check):
    check(estimator)
