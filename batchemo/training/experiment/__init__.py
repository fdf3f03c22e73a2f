"""All runs of an evaluation: folds and seeds, calibration, the figures that come of them."""
