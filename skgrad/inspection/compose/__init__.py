"""Rules of containers: how the chain goes through pipelines, column transformers and unions."""

from skgrad.inspection.compose import column_transformer, feature_union, pipeline

__all__ = ["column_transformer", "feature_union", "pipeline"]
