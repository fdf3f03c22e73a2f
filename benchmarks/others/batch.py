"""A quick script: librosa on all cores by joblib, then one batched `predict`."""

from __future__ import annotations

import keras
import numpy as np
from joblib import Parallel, delayed

from others.librosa_features import LIBROSA_FEATURE_SETS
from others.words import options


def main() -> None:
    args = options(__doc__, model=True)
    model = keras.saving.load_model(args.model, compile=False)
    feature_set = LIBROSA_FEATURE_SETS[args.features]
    found = Parallel(n_jobs=args.jobs)(delayed(feature_set.items)(path) for path in args.files)
    predictions = model.predict(np.concatenate(found), batch_size=64, verbose=0)
    ends = np.cumsum([len(items) for items in found])
    for path, part in zip(args.files, np.split(predictions, ends[:-1]), strict=True):
        print(path, part.mean(axis=0).argmax())


if __name__ == "__main__":
    main()
