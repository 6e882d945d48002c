"""The state of an optimizer between epochs. The steps are compiled."""

from dataclasses import dataclass

import numpy as np

# What solver="adam" and "sgd" keep per parameter is in _kernels/optimizers.pxd.
STOCHASTIC_SOLVERS = ("adam", "sgd")
# Attributes of an `Optimizer` that steps write to.
WRITTEN = (
    *("first", "second", "average"),
    *("scales", "unscaled", "scale_first", "scale_second"),
)


@dataclass
class Optimizer:
    """Settings of Adam or SGD and what they remember of the steps taken.

    Attributes
    ----------
    solver : {"adam", "sgd"}
    size : int
        Number of parameters.
    dtype : numpy.dtype
    beta_1, beta_2, epsilon : float
        Adam's.
    momentum, nesterov
        SGD's.
    step : int
        Steps taken, over all fits, since the last start; also numbers the dropout
        masks.
    starts : int
        How often it has started anew. Part of the key of the random numbers, so that
        no mask comes twice.
    first, second : ndarray of shape (size,)
        Adam: running means of the gradient and its square. SGD: velocity and None.
    average : ndarray of shape (size,) or None
        Exponential moving average of the parameters, with `average_decay`.
    anchor : ndarray of shape (size,) or None
        The weights that the parameters are pulled towards (L2-SP); the strengths are
        the segments'.
    scales, scale_first, scale_second : ndarray of shape (n_features,) or None
        Adam's, under `feature_scaling`: the learnt scale of each feature, and its
        running means of the gradient and its square.
    unscaled : ndarray or None
        What they scale, of the size of the first weight matrix.
    scale_rate : float
        Rate of the scales as a multiple of the rate.
    """

    solver: str
    size: int
    dtype: np.dtype
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    momentum: float = 0.9
    nesterov: bool = True
    step: int = 0
    starts: int = 0
    first: np.ndarray | None = None
    second: np.ndarray | None = None
    average: np.ndarray | None = None
    average_decay: float = 0.0
    anchor: np.ndarray | None = None
    scales: np.ndarray | None = None
    unscaled: np.ndarray | None = None
    scale_first: np.ndarray | None = None
    scale_second: np.ndarray | None = None
    scale_rate: float = 0.0

    def __post_init__(self):
        if self.first is None:
            self.first = np.zeros(self.size, self.dtype)
        if self.second is None and self.adam:
            self.second = np.zeros(self.size, self.dtype)

    def start_anew(self):
        """Forget all steps. Adam's corrections of its means count from here too."""
        self.step = 0
        self.starts += 1
        for moment in self.moments:
            moment[:] = 0
        if self.scales is not None:
            self.scales[:] = 1

    def scale_features(self, W, rate):
        """Have a scale for each row of W, those of before where there are some."""
        n_features = len(W)
        self.scale_rate = rate
        if self.scales is None:
            self.scales = np.ones(n_features, self.dtype)
            self.unscaled = W.astype(self.dtype).ravel()
            self.scale_first = np.zeros(n_features, self.dtype)
            self.scale_second = np.zeros(n_features, self.dtype)

    def forget_scales(self):
        """Have none."""
        self.scales = self.unscaled = self.scale_first = self.scale_second = None

    def without_memory(self):
        """A copy that keeps only the count of starts, and no moments.

        The count goes into the key of the random numbers, so that training later draws
        no mask a second time. Its size is 0, so that it fits no network.
        """
        return Optimizer(self.solver, 0, self.dtype, starts=self.starts)

    @property
    def adam(self):
        return self.solver == "adam"

    @property
    def moments(self):
        """The arrays of running means that this solver keeps."""
        moments = [self.first, self.second, self.scale_first, self.scale_second]
        return [moment for moment in moments if moment is not None]
