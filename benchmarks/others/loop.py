"""The loop of the five original systems: load a file, compute its features, `predict` one item.

With --overlap it hears all windows that batchemo hears, not only those side by side. With
--our-features, librosa only loads: the features are those of batchemo's own extractor.
"""

from __future__ import annotations

import keras
import librosa
import numpy as np

from others.librosa_recipes import LIBROSA_RECIPES, Floats
from others.words import options


def main() -> None:
    told = options(__doc__, model=True)
    model = keras.saving.load_model(told.model, compile=False)
    recipe = LIBROSA_RECIPES[told.recipe]
    for path in told.files:
        samples, _ = librosa.load(path, sr=recipe.rate)
        answers = []
        for window in recipe.windows(samples, overlap=told.overlap):
            item = ours(told.recipe, window) if told.our_features else recipe.compute(window)
            answers.append(model.predict(item[None], verbose=0)[0])
        print(path, np.mean(answers, axis=0).argmax())


def ours(recipe: str, window: Floats) -> Floats:
    from batchemo.features import FEATURE_SETS, extract

    return extract(FEATURE_SETS[recipe], window)


if __name__ == "__main__":
    main()
