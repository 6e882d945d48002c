"""What Python says to the kernels by number or as an array of structs.

The compiler makes the dtypes from the structs and the numbers from the enums, so that
no definition is written in two languages. Nothing here depends on the instruction set.
"""

cimport skreg._kernels.activations as activations
cimport skreg._kernels.augmentation_types as augmentation_types
cimport skreg._kernels.batch_norm as batch_norm
cimport skreg._kernels.losses as losses
cimport skreg._kernels.low_rank as low_rank
cimport skreg._kernels.optimizers as optimizers
cimport skreg._kernels.types as types

import numpy as np

cdef types.Layer layer
cdef optimizers.Segment segment
cdef optimizers.Rates rates
cdef low_rank.Factors factors
cdef augmentation_types.Augmentation augmentation

LAYER = np.asarray(<types.Layer[:1]> &layer).dtype
SEGMENT = np.asarray(<optimizers.Segment[:1]> &segment).dtype
RATES = np.asarray(<optimizers.Rates[:1]> &rates).dtype
FACTORS = np.asarray(<low_rank.Factors[:1]> &factors).dtype
AUGMENTATION = np.asarray(
    <augmentation_types.Augmentation[:1]> &augmentation).dtype

ACTIVATIONS = {
    "identity": activations.IDENTITY,
    "logistic": activations.LOGISTIC,
    "tanh": activations.TANH,
    "relu": activations.RELU,
    "leaky_relu": activations.LEAKY_RELU,
    "elu": activations.ELU,
    "selu": activations.SELU,
    "gelu": activations.GELU,
    "silu": activations.SILU,
    "mish": activations.MISH,
}
LOSSES = {
    "squared_error": losses.SQUARED_ERROR,
    "absolute_error": losses.ABSOLUTE_ERROR,
    "huber": losses.HUBER,
    "quantile": losses.QUANTILE,
    "poisson": losses.POISSON,
    "gamma": losses.GAMMA,
    "binary_log_loss": losses.BINARY_LOG_LOSS,
    "multinomial_log_loss": losses.MULTINOMIAL_LOG_LOSS,
}
NORM_POSITIONS = {
    None: batch_norm.NO_NORM,
    "before": batch_norm.BEFORE,
    "after": batch_norm.AFTER,
}
AUGMENTATIONS = {
    "gaussian_noise": augmentation_types.GAUSSIAN_NOISE,
    "feature_scaling": augmentation_types.FEATURE_SCALING,
    "sample_scaling": augmentation_types.SAMPLE_SCALING,
    "feature_masking": augmentation_types.FEATURE_MASKING,
    "mixup": augmentation_types.MIXUP,
    "feature_cutmix": augmentation_types.FEATURE_CUTMIX,
    "image_cutmix": augmentation_types.IMAGE_CUTMIX,
    "horizontal_flip": augmentation_types.HORIZONTAL_FLIP,
    "vertical_flip": augmentation_types.VERTICAL_FLIP,
    "image_shift": augmentation_types.IMAGE_SHIFT,
    "image_scale": augmentation_types.IMAGE_SCALE,
}
