"""audinterface with librosa's part of the functionals as its function, by its own processes."""

from __future__ import annotations

import audinterface
import numpy as np

from others.librosa_features import SPEECH, Floats, functionals
from others.words import options


def compute(signal: Floats, sampling_rate: int) -> Floats:
    return functionals(signal[0])


def main() -> None:
    args = options(__doc__)
    columns = len(functionals(np.zeros(SPEECH, np.float32)))
    feature = audinterface.Feature(
        [f"column_{number}" for number in range(columns)],
        process_func=compute,
        sampling_rate=SPEECH,
        resample=True,
        mixdown=True,
        num_workers=args.jobs,
        multiprocessing=True,
    )
    print(feature.process_files([str(path) for path in args.files]).shape)


if __name__ == "__main__":
    main()
