"""Fits one net: epochs, learning-rate schedule, checkpoints, and the selection of the epoch."""
