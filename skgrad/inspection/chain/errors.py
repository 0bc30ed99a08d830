"""What is said where there is no derivative."""


class NonDifferentiableError(ValueError):
    """A step of the pipeline, or the model, has no derivative that would mean anything."""


class FiniteDifferenceWarning(UserWarning):
    """Differences stand in for a derivative, as `fallback="difference"` asked."""
