from typing import Literal

import numpy as np

LAYER: np.dtype[np.void]
SEGMENT: np.dtype[np.void]
RATES: np.dtype[np.void]
FACTORS: np.dtype[np.void]
AUGMENTATION: np.dtype[np.void]

ACTIVATIONS: dict[str, int]
LOSSES: dict[str, int]
NORM_POSITIONS: dict[Literal["before", "after"] | None, int]
AUGMENTATIONS: dict[str, int]
