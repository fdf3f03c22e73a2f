"""A script as it is written in an afternoon: librosa on all cores by joblib, then one `predict`.

python -m others.batch FOLDER --jobs 2 --features frames62 --model models/frames62/model.keras
"""

from __future__ import annotations

import keras
import numpy as np
from joblib import Parallel, delayed

from others.librosa_features import LIBROSA_FEATURE_SETS
from others.options import parse_options


def main() -> None:
    options = parse_options(__doc__, model=True)
    model = keras.saving.load_model(options.model, compile=False)
    feature_set = LIBROSA_FEATURE_SETS[options.features]
    features = Parallel(n_jobs=options.jobs)(
        delayed(feature_set.items)(path) for path in options.files
    )
    probabilities = model.predict(np.concatenate(features), batch_size=64, verbose=0)
    ends = np.cumsum([len(windows) for windows in features])
    parts = np.split(probabilities, ends[:-1])
    for path, part in zip(options.files, parts, strict=True):
        print(path, part.mean(axis=0).argmax())


if __name__ == "__main__":
    main()
