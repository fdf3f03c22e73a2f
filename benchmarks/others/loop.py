"""The loop of the five original systems: load a file, compute its features, `predict` one item.

    python -m others.loop FOLDER --features frames62 --model models/frames62/model.keras

With --overlap it uses all windows that batchemo reads, which overlap, instead of consecutive ones.
With --batchemo-features, librosa only loads the file: the features are computed by batchemo.
"""

from __future__ import annotations

import keras
import librosa
import numpy as np

from others.librosa_features import LIBROSA_FEATURE_SETS, Floats
from others.options import parse_options


def main() -> None:
    options = parse_options(__doc__, model=True)
    model = keras.saving.load_model(options.model, compile=False)
    feature_set = LIBROSA_FEATURE_SETS[options.features]
    for path in options.files:
        samples, _ = librosa.load(path, sr=feature_set.rate)
        probabilities = []
        for window in feature_set.windows(samples, overlap=options.overlap):
            if options.batchemo_features:
                features = batchemo_features(options.features, window)
            else:
                features = feature_set.compute(window)
            probabilities.append(model.predict(features[None], verbose=0)[0])
        print(path, np.mean(probabilities, axis=0).argmax())


def batchemo_features(name: str, window: Floats) -> Floats:
    from batchemo.features import FEATURE_SETS, extract

    return extract(FEATURE_SETS[name], window)


if __name__ == "__main__":
    main()
