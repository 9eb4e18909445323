"""Units and bounds of the parameters of mixtures (models/shared/logistic_mixture.py), for those that need no torch."""

MEAN_UNIT = 64
MEAN_MIN = -16 * MEAN_UNIT
MEAN_MAX = 272 * MEAN_UNIT
SCALES = 64
SCALES_PER_OCTAVE = 6
SCALE_MIN = 0.06
LOGIT_UNIT = 16
