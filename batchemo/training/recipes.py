"""The training recipes by name: which nets on which features, and how each is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchemo.audio import WindowConfig
from batchemo.errors import UsageError
from batchemo.features import FeatureSet, get_feature_set
from batchemo.training.hyperparameters import Hyperparameters

LOGISTIC = "logistic"
"""The `net` of a recipe that is a logistic regression: fitted at once, not epoch by epoch."""

WHISPER_TINY = "whisper-tiny"
"""The `encoder` of recipes on the first blocks of a pretrained one: `training.nets.encoder`."""
LIGHT = "light"
"""The `encoder` of recipes on the one that imitates it: `training.nets.light_encoder`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A way to train a model: a net, or the mean of several that differ only by their seeds."""

    name: str
    description: str
    features: FeatureSet
    """What a scan computes for the finished model."""
    net: str
    """A name in `batchemo.training.nets.registry.NETS`, or `LOGISTIC`."""
    hyperparameters: Hyperparameters
    nets: int = 1
    """How many nets, each with its own seed, are averaged."""
    floor: float | None = None
    """The value that spectrograms are padded with, where the model masks padding; else None."""
    encoder: str | None = None
    """What comes first and is not trained: `WHISPER_TINY`, `LIGHT`, or None."""
    overlap: float = 0.5
    """The share of a window that the next one has in common with it."""
    familiarity_slope: float | None = None
    """By how much the logarithm of the temperature grows from familiarity 1 to 0; None where the
    recipe has no familiarity: see `batchemo.bundles.Calibration`."""
    claim: str = ""
    """The accuracy that the recipe's source reports."""

    @property
    def windows(self) -> WindowConfig:
        """How recordings are cut into windows, in training as in a scan."""
        window = self.features.window
        hop = window * (1 - self.overlap)
        return WindowConfig(rate=self.features.rate, window=window, hop=hop)


def _single(
    name: str,
    description: str,
    features: str,
    hyperparameters: Hyperparameters,
    claim: str,
) -> Recipe:
    """Return a recipe of one net that has the recipe's own name."""
    return Recipe(
        name=name,
        description=description,
        features=get_feature_set(features),
        net=name,
        hyperparameters=hyperparameters,
        claim=claim,
    )


RAVDESS_RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _single(
            "cnn1d",
            "Four Conv1D with BatchNorm along the vector of 162 mean features.",
            "stats162",
            Hyperparameters(
                batch_size=64,
                l2=1e-4,
                patience=20,
                plateau_patience=8,
                select_epoch="accuracy",
                validation_share=0.15,
            ),
            "about 68 % validation accuracy",
        ),
        _single(
            "melattn",
            "Conv1D, BiLSTM and self-attention over a log-mel spectrogram of 3 s.",
            "logmel128",
            Hyperparameters(
                epochs=60,
                learning_rate=3e-4,
                loss="focal",
                oversample=True,
                augmentations=("noise", "pitch", "stretch"),
                patience=12,
                plateau_patience=6,
                select_epoch="accuracy",
            ),
            "F1 > 82 %, accuracy > 83 %, every class > 80 %",
        ),
        _single(
            "stats162",
            "Four wide Conv1D along the vector of 162 mean features, with two augmented copies.",
            "stats162",
            Hyperparameters(
                epochs=50,
                batch_size=64,
                dropout=0.1,
                augmentations=("noise", "stretch-pitch"),
                patience=15,
                plateau_patience=6,
                select_epoch="accuracy",
            ),
            "about 85 % validation accuracy, macro F1 > 80 %",
        ),
        _single(
            "frames62",
            "Conv1D and BiLSTM over 130 frames of 62 classic features.",
            "frames62",
            Hyperparameters(epochs=200, class_weights=True, l2=1e-4, select_epoch="mean-accuracy"),
            "98 % in its notebook, whose data holds every recording twice",
        ),
        _single(
            "mfcc40",
            "A small Conv1D net along the mean of 40 MFCCs.",
            "mfcc40",
            Hyperparameters(epochs=100, select_epoch="accuracy"),
            "F1 > 80 %, every class > 75 %",
        ),
    )
}
"""The five recipes of older projects on RAVDESS."""


def _on_encoder(name: str, description: str, encoder: str) -> Recipe:
    """Return a recipe of nets on the statistics of an encoder."""
    return Recipe(
        name=name,
        description=description,
        features=get_feature_set("logmel80"),
        net="dense",
        hyperparameters=Hyperparameters(
            epochs=150,
            batch_size=128,
            lr_schedule="one-cycle",
            weight_decay=0.05,
            ema_decay=0.99,
            label_smoothing=0.1,
            other_corpora_share=0.5,
            augmentations=("speed-90", "speed-110", "room", "phone", "line", "noisy"),
            mixup=0.5,
            speaker_shift=0.8,
            dropout=0.5,
            select_epoch="last",
            validation_share=0.0,
        ),
        nets=3,
        # What these features pad with.
        floor=-2.0,
        encoder=encoder,
        overlap=0.0,
        familiarity_slope=1.0,
    )


OWN_RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _on_encoder(
            "default",
            "A light speech encoder that computes in 8 bits and imitates the one of accurate, and"
            " on its statistics three small dense nets; settings were tried on folds that also"
            " measure it (slightly optimistic).",
            LIGHT,
        ),
        _on_encoder(
            "accurate",
            "The first two blocks of a pretrained speech encoder (Whisper tiny, 8-bit weights),"
            " unchanged, and on their statistics three small dense nets; settings were tried on"
            " folds that also measure it (slightly optimistic).",
            WHISPER_TINY,
        ),
        Recipe(
            name="functionals",
            description="The baseline: a logistic regression on statistics of a window, which were"
            " chosen on the folds that also measure it (slightly optimistic).",
            features=get_feature_set("functionals"),
            net=LOGISTIC,
            hyperparameters=Hyperparameters(
                other_corpora_share=0.1,
                # More telephones than for nets: those cost a regression the most accuracy.
                augmentations=(
                    *("pitch", "room", "noisy", "noisy-2"),
                    *("phone", "phone-2", "phone-3", "line", "line-2"),
                ),
                select_epoch="last",
                validation_share=0.0,
            ),
        ),
    )
}
"""The models that a scan uses: the one where none is named, a slower one, and the baseline."""

RECIPES: Mapping[str, Recipe] = {**OWN_RECIPES, **RAVDESS_RECIPES}


def get_recipe(name: str) -> Recipe:
    """Return the recipe of that name; UsageError if there is none.

    >>> get_recipe("frames62").features.shape()
    (130, 62)
    >>> get_recipe("default").net
    'dense'
    """
    if name not in RECIPES:
        raise UsageError(f"no recipe is called {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
