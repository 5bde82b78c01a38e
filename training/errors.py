"""The errors of training."""

from overread.errors import OverreadError


class TrainingError(OverreadError):
    """The data for training is absent or not as its lists say."""

    code = "training_failed"
