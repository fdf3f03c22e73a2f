"""What is written in an afternoon: librosa on all cores by joblib, then one batched `predict`."""

from __future__ import annotations

import keras
import numpy as np
from joblib import Parallel, delayed

from others.librosa_recipes import LIBROSA_RECIPES
from others.words import options


def main() -> None:
    told = options(__doc__, model=True)
    model = keras.saving.load_model(told.model, compile=False)
    recipe = LIBROSA_RECIPES[told.recipe]
    found = Parallel(n_jobs=told.jobs)(delayed(recipe.items)(path) for path in told.files)
    answers = model.predict(np.concatenate(found), batch_size=64, verbose=0)
    ends = np.cumsum([len(items) for items in found])
    for path, part in zip(told.files, np.split(answers, ends[:-1]), strict=True):
        print(path, part.mean(axis=0).argmax())


if __name__ == "__main__":
    main()
