"""Training data, in the order of its making: splits, features with augmentations, batches."""
