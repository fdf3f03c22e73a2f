"""Fits one net: epochs, learning rate schedule, checkpoints, the choice of the epoch."""
