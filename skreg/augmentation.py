"""Augmentations: changes of the training rows, drawn anew for every batch.

The parameter ``augmentation`` of the estimators takes one of these objects, a list of
them, a `Compose`, or a function of the user's. They act on the rows of a training batch
after these are gathered, in the order of the list, before ``input_dropout``, and never
on validation or prediction. Rows must be dense.
"""

import math
from numbers import Integral, Real

import numpy as np
from scipy.special import betaincinv
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import _BaseComposition

from skreg._documentation import DocumentationLinkMixin
from skreg._kernels._tables import AUGMENTATION
from skreg._persistence import VersionedMixin

__all__ = [
    "Compose",
    "CutMix",
    "FeatureMasking",
    "FeatureScaling",
    "GaussianNoise",
    "ImageFlip",
    "ImageScale",
    "ImageShift",
    "Mixup",
]


class Augmentation(DocumentationLinkMixin, VersionedMixin, BaseEstimator):
    """What every object of this module but `Compose` can do."""

    # rows are mixed with others, and so are their targets
    _mixes = False

    def _check(self):
        """Raise ValueError where a parameter is out of its range."""
        raise NotImplementedError

    def _is_neutral(self):
        """Whether it leaves all rows as they are."""
        raise NotImplementedError

    def _entry(self):
        """The fields of the kernels' table that are not zero, the kind by name."""
        raise NotImplementedError

    def _refuse(self, name, rule, remedy):
        raise ValueError(
            f"{name} of {type(self).__name__} must be {rule}; got "
            f"{getattr(self, name)!r}. {remedy}"
        )

    def _check_number(self, name, rule, remedy, accepts, kind=Real):
        value = getattr(self, name)
        if not (isinstance(value, kind) and accepts(value)):
            self._refuse(name, rule, remedy)

    def _check_fill(self):
        self._check_number(
            "fill", "a finite number", "Use 0 for the mean of scaled features.",
            np.isfinite,
        )  # fmt: skip

    def _check_probability(self):
        self._check_number(
            "probability", "a number in [0, 1]", "Use 1 for every row, 0 for none.",
            lambda value: 0 <= value <= 1,
        )  # fmt: skip

    def _check_shape(self):
        valid = isinstance(self.shape, tuple | list) and len(self.shape) in (2, 3)
        if not valid or not all(isinstance(n, Integral) and n > 0 for n in self.shape):
            self._refuse(
                "shape",
                "(height, width) or (height, width, channels), whole numbers > 0",
                "Give the shape of one image whose pixels are a row of X.",
            )

    def _image(self):
        """Height, width and channels as fields; none without a shape."""
        if getattr(self, "shape", None) is None:
            return {}
        height, width, *channels = (int(n) for n in self.shape)
        return {
            "height": height,
            "width": width,
            "channels": channels[0] if channels else 1,
        }

    def _check_features(self, n_features):
        """Raise ValueError where images do not have as many numbers as rows of X."""
        image = self._image()
        # of Python's integers, which have no bound
        size = math.prod(image.values())
        if image and size != n_features:
            raise ValueError(
                f"shape={self.shape!r} of {type(self).__name__} is that of images with "
                f"{size} numbers, but X has {n_features} "
                "features. Give the shape of one image whose pixels are a row of X."
            )


class GaussianNoise(Augmentation):
    """Add normal noise to the features: x + scale * N(0, 1).

    For a linear model and the squared loss this is an L2 penalty of strength scale ** 2
    (Bishop 1995).

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, >= 0, the same for all features: so these
        should be scaled, for example by ``StandardScaler``. 0 leaves the noise out.

    See Also
    --------
    FeatureScaling : Noise in proportion to the value.

    References
    ----------
    Bishop (1995). Training with noise is equivalent to Tikhonov regularization. Neural
    Computation 7.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import GaussianNoise
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=GaussianNoise(0.2), max_iter=20, random_state=0
    ... )
    >>> model.fit(scale(X), y).score(scale(X), y) > 0.95
    True
    """

    def __init__(self, scale=0.1):
        self.scale = scale

    def _check(self):
        self._check_number(
            "scale", "a finite number >= 0", "Use 0 for no noise.",
            lambda value: 0 <= value < np.inf,
        )  # fmt: skip

    def _is_neutral(self):
        return self.scale == 0

    def _entry(self):
        return {"kind": "gaussian_noise", "strength": self.scale}


class FeatureScaling(Augmentation):
    """Multiply by random gains, uniform in [1 - scale, 1 + scale].

    Parameters
    ----------
    scale : float, default=0.1
        Half the range of the gains, in [0, 1]. 0 leaves everything as it is.
    per : {"feature", "sample"}, default="feature"
        One gain for every feature of every row, or one for the whole row, as the gain
        of a sensor or the contrast of an image would be.

    See Also
    --------
    GaussianNoise : Noise that does not depend on the value.

    References
    ----------
    Um, Pfister, Pichler, Endo, Lang, Hirche, Fietzek, Kulić (2017). Data augmentation
    of wearable sensor data for Parkinson's disease monitoring using convolutional
    neural networks. ICMI. There "scaling" is one gain for the whole sample.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import RegularizedMLPRegressor
    >>> from skreg.augmentation import FeatureScaling
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RegularizedMLPRegressor(
    ...     (100,), augmentation=FeatureScaling(0.2, per="sample"), max_iter=30,
    ...     random_state=0,
    ... )
    >>> model.fit(X * 20, y).score(X * 20, y) > 0.4
    True
    """

    def __init__(self, scale=0.1, per="feature"):
        self.scale = scale
        self.per = per

    def _check(self):
        self._check_number(
            "scale", "a number in [0, 1]", "Use 0 for no scaling.",
            lambda value: 0 <= value <= 1,
        )  # fmt: skip
        if self.per not in ("feature", "sample"):
            self._refuse("per", "'feature' or 'sample'", "Use the default, 'feature'.")

    def _is_neutral(self):
        return self.scale == 0

    def _entry(self):
        kind = "feature_scaling" if self.per == "feature" else "sample_scaling"
        return {"kind": kind, "strength": self.scale}


class FeatureMasking(Augmentation):
    """Replace features by a constant at random.

    Unlike ``input_dropout`` it does not rescale what is left, so the network sees the
    values of prediction: masked features look missing and are to be made up for by the
    others, as in denoising autoencoders (Vincent et al. 2008).

    Parameters
    ----------
    rate : float, default=0.1
        Probability, in [0, 1), that a feature of a row is replaced. 0 replaces none.
        Multiples of 1/256 are exact, other rates are rounded to 16 bits.
    fill : float, default=0.0
        What takes its place. 0 is the mean of features that were scaled.

    References
    ----------
    Vincent, Larochelle, Bengio, Manzagol (2008). Extracting and composing robust
    features with denoising autoencoders. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import FeatureMasking
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=FeatureMasking(0.2), max_iter=20, random_state=0
    ... )
    >>> model.fit(scale(X), y).score(scale(X), y) > 0.95
    True
    """

    def __init__(self, rate=0.1, fill=0.0):
        self.rate = rate
        self.fill = fill

    def _check(self):
        self._check_number(
            "rate", "a number in [0, 1)", "Use 0 for no masking.",
            lambda value: 0 <= value < 1,
        )  # fmt: skip
        self._check_fill()

    def _is_neutral(self):
        return self.rate == 0

    def _entry(self):
        return {"kind": "feature_masking", "strength": self.rate, "fill": self.fill}


class _Mixing(Augmentation):
    """What `Mixup` and `CutMix` share: lambda's distribution, and for which rows."""

    _mixes = True

    def _check(self):
        self._check_number(
            "alpha", "a finite number >= 0", "Use 0 for no mixing.",
            lambda value: 0 <= value < np.inf,
        )  # fmt: skip
        self._check_probability()

    def _is_neutral(self):
        return self.alpha == 0 or self.probability == 0

    def _entry(self):
        return {
            "kind": self._kind(),
            "probability": self.probability,
            "quantiles": beta_quantiles(float(self.alpha)),
            **self._image(),
        }


class Mixup(_Mixing):
    """Mix each row, and its target, with another row of the batch.

    With lambda drawn from Beta(alpha, alpha) for every row,

        x~ = lambda x_i + (1 - lambda) x_j,

    and the loss of x~ is lambda times that with y_i plus 1 - lambda times that with
    y_j, each with the weight of its row (Zhang et al. 2018). The user guide derives
    the target and the weight that this amounts to.

    Parameters
    ----------
    alpha : float, default=0.2
        Both parameters of the beta distribution, >= 0. Small values leave most rows
        almost alone, 1 is uniform. 0 mixes nothing.
    probability : float, default=1.0
        That a row is mixed at all, in [0, 1].

    See Also
    --------
    CutMix : Takes features or pixels from either row instead of averaging.

    Notes
    -----
    The partner of a row is the one a number of places further in the shuffled batch,
    a number that is drawn for each batch. A batch of one row is left as it is. Lambda
    comes from a table of 1025 quantiles, with linear interpolation.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz (2018). mixup: beyond empirical risk minimization.
    ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import Mixup
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=Mixup(0.4), max_iter=20, random_state=0
    ... )
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    def __init__(self, alpha=0.2, probability=1.0):
        self.alpha = alpha
        self.probability = probability

    def _kind(self):
        return "mixup"


class CutMix(_Mixing):
    """Replace a part of each row by that of another row, and mix the targets.

    Lambda, drawn from Beta(alpha, alpha), is the share of the row that stays. Targets
    are mixed as in `Mixup`, by the share that actually stays.

    Parameters
    ----------
    alpha : float, default=1.0
        Both parameters of the beta distribution, >= 0; 1 is uniform. 0 mixes nothing.
    probability : float, default=1.0
        That a row is mixed at all, in [0, 1].
    shape : tuple of int or None, default=None
        With None, each feature comes from the other row with probability 1 - lambda.
        With ``(height, width)`` or ``(height, width, channels)`` rows are images, and
        what comes from the other is a rectangle of ``sqrt(1 - lambda)`` times their
        height and width, rounded down, with all channels. Its centre is any pixel; what
        is beyond the edges is cut off (Yun et al. 2019).

    See Also
    --------
    Mixup : Averages the two rows instead.

    References
    ----------
    Yun, Han, Oh, Chun, Choe, Yoo (2019). CutMix: regularization strategy to train
    strong classifiers with localizable features. ICCV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import CutMix
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=CutMix(probability=0.5, shape=(8, 8)), max_iter=20,
    ...     random_state=0,
    ... )
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.85
    True
    """

    def __init__(self, alpha=1.0, probability=1.0, shape=None):
        self.alpha = alpha
        self.probability = probability
        self.shape = shape

    def _check(self):
        super()._check()
        if self.shape is not None:
            self._check_shape()

    def _kind(self):
        return "feature_cutmix" if self.shape is None else "image_cutmix"


class ImageFlip(Augmentation):
    """Mirror images at random.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` or ``(height, width, channels)`` of the images that the rows
        of X are, row by row.
    axis : {"horizontal", "vertical"}, default="horizontal"
        Left and right change places, or top and bottom.
    probability : float, default=0.5
        That a row is mirrored, in [0, 1]; 0 mirrors none.

    References
    ----------
    Krizhevsky, Sutskever, Hinton (2012). ImageNet classification with deep
    convolutional neural networks. NeurIPS 25.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import ImageFlip
    >>> X, y = load_digits(n_class=2, return_X_y=True)  # zeros and ones
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=ImageFlip((8, 8)), max_iter=20, random_state=0
    ... )
    >>> model.fit(X / 16, y).score(X / 16, y) > 0.98
    True
    """

    def __init__(self, shape, axis="horizontal", probability=0.5):
        self.shape = shape
        self.axis = axis
        self.probability = probability

    def _check(self):
        self._check_shape()
        self._check_probability()
        if self.axis not in ("horizontal", "vertical"):
            self._refuse(
                "axis", "'horizontal' or 'vertical'", "Use the default, 'horizontal'."
            )

    def _is_neutral(self):
        return self.probability == 0

    def _entry(self):
        kind = "horizontal_flip" if self.axis == "horizontal" else "vertical_flip"
        return {"kind": kind, "probability": self.probability, **self._image()}


class ImageShift(Augmentation):
    """Move images by whole pixels at random, down or up and to either side.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` or ``(height, width, channels)`` of the images that the rows
        of X are, row by row.
    pixels : int, default=2
        The farthest that an image is moved, >= 0 and below its height and width. Each
        direction is uniform among -pixels, ..., pixels. 0 moves nothing.
    fill : float, default=0.0
        The value of pixels that come in from outside.

    References
    ----------
    Simard, Steinkraus, Platt (2003). Best practices for convolutional neural networks
    applied to visual document analysis. ICDAR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import ImageShift
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=ImageShift((8, 8), 1), learning_rate_init=0.01,
    ...     max_iter=20, random_state=0,
    ... )
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    def __init__(self, shape, pixels=2, fill=0.0):
        self.shape = shape
        self.pixels = pixels
        self.fill = fill

    def _check(self):
        self._check_shape()
        self._check_number(
            "pixels",
            f"a whole number >= 0 and below height and width of shape={self.shape!r}",
            "Use 0 for no shift.",
            lambda value: 0 <= value < min(self.shape[:2]),
            kind=Integral,
        )
        self._check_fill()

    def _is_neutral(self):
        return self.pixels == 0

    def _entry(self):
        return {
            "kind": "image_shift",
            "strength": self.pixels,
            "fill": self.fill,
            **self._image(),
        }


class ImageScale(Augmentation):
    """Enlarge or shrink images about their centre at random, bilinearly.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` or ``(height, width, channels)`` of the images that the rows
        of X are, row by row.
    scale : float, default=0.1
        Factors are uniform in [1 - scale, 1 + scale], one for each row; in [0, 1). 0
        leaves everything as it is.
    fill : float, default=0.0
        The value of all that is outside of an image.

    References
    ----------
    Krizhevsky, Sutskever, Hinton (2012). ImageNet classification with deep
    convolutional neural networks. NeurIPS 25.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import ImageScale
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,), augmentation=ImageScale((8, 8), 0.2), max_iter=20, random_state=0
    ... )
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    def __init__(self, shape, scale=0.1, fill=0.0):
        self.shape = shape
        self.scale = scale
        self.fill = fill

    def _check(self):
        self._check_shape()
        self._check_number(
            "scale", "a number in [0, 1)", "Use 0 for no scaling.",
            lambda value: 0 <= value < 1,
        )  # fmt: skip
        self._check_fill()

    def _is_neutral(self):
        return self.scale == 0

    def _entry(self):
        return {
            "kind": "image_scale",
            "strength": self.scale,
            "fill": self.fill,
            **self._image(),
        }


class Compose(DocumentationLinkMixin, VersionedMixin, _BaseComposition):
    """Several augmentations one after another, under names that a grid can search.

    A plain list of objects does the same without names.

    Parameters
    ----------
    steps : list of tuples (str, object)
        Names and augmentations in the order in which they act. None in the place of
        an augmentation leaves it out. Functions come first, as in a list.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skreg import RegularizedMLPClassifier
    >>> from skreg.augmentation import Compose, ImageShift, Mixup
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RegularizedMLPClassifier(
    ...     (100,),
    ...     augmentation=Compose([("shift", ImageShift((8, 8), 1)), ("mix", Mixup())]),
    ...     max_iter=10, random_state=0,
    ... )
    >>> grid = {
    ...     "augmentation__mix__alpha": [0.1, 0.4],
    ...     "augmentation__shift__pixels": [0, 1],
    ... }
    >>> search = GridSearchCV(model, grid, cv=2).fit(X[:600] / 16, y[:600])
    >>> len(search.cv_results_["params"])
    4
    """

    def __init__(self, steps):
        self.steps = steps

    def get_params(self, deep=True):
        """Parameters of this object and, with `deep`, of the augmentations in it.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        params : dict
        """
        return self._get_params("steps", deep=deep)

    def set_params(self, **params):
        """Set ``steps``, an augmentation by its name, or ``name__parameter`` of one.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : Compose
        """
        self._set_params("steps", **params)
        return self

    def _objects(self):
        """The augmentations in their order.

        Raises
        ------
        ValueError
            If ``steps`` are not pairs, or if a name occurs twice, contains "__" or is
            the name of a parameter.
        """
        steps = self.steps
        if not isinstance(steps, list | tuple) or not all(
            isinstance(step, tuple | list)
            and len(step) == 2
            and isinstance(step[0], str)
            for step in steps
        ):
            raise ValueError(
                "steps of Compose must be a list of (name, augmentation); got "
                f'{steps!r}. For one augmentation write [("noise", GaussianNoise())].'
            )
        self._validate_names([name for name, _ in steps])
        return [step for _, step in steps if step is not None]


def beta_quantiles(alpha):
    """Quantiles of Beta(alpha, alpha) at even steps from 0 to 1."""
    n = AUGMENTATION["quantiles"].shape[0]
    return betaincinv(alpha, alpha, np.linspace(0, 1, n))
