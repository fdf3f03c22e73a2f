"""The loop of the five original systems: load a file, compute its features, `predict` one item.

With --overlap it computes all windows that batchemo computes, not only those side by side. With
--our-features, librosa only loads: the features are those of batchemo's own extractor.
"""

from __future__ import annotations

import keras
import librosa
import numpy as np

from others.librosa_features import LIBROSA_FEATURE_SETS, Floats
from others.words import options


def main() -> None:
    args = options(__doc__, model=True)
    model = keras.saving.load_model(args.model, compile=False)
    feature_set = LIBROSA_FEATURE_SETS[args.features]
    for path in args.files:
        samples, _ = librosa.load(path, sr=feature_set.rate)
        predictions = []
        for window in feature_set.windows(samples, overlap=args.overlap):
            item = (
                batchemo_features(args.features, window)
                if args.our_features
                else feature_set.compute(window)
            )
            predictions.append(model.predict(item[None], verbose=0)[0])
        print(path, np.mean(predictions, axis=0).argmax())


def batchemo_features(name: str, window: Floats) -> Floats:
    from batchemo.features import FEATURE_SETS, extract

    return extract(FEATURE_SETS[name], window)


if __name__ == "__main__":
    main()
