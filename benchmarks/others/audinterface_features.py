"""audinterface with a function of librosa's, features only, by its own processes.

python -m others.audinterface_features FOLDER --jobs 2
"""

from __future__ import annotations

import audinterface
import numpy as np

from others.librosa_features import SPEECH, Floats, functionals
from others.options import parse_options


def compute(signal: Floats, sampling_rate: int) -> Floats:
    return functionals(signal[0])


def main() -> None:
    options = parse_options(__doc__)
    columns = len(functionals(np.zeros(SPEECH, np.float32)))
    feature = audinterface.Feature(
        [f"column_{number}" for number in range(columns)],
        process_func=compute,
        sampling_rate=SPEECH,
        resample=True,
        mixdown=True,
        num_workers=options.jobs,
        multiprocessing=True,
    )
    print(feature.process_files([str(path) for path in options.files]).shape)


if __name__ == "__main__":
    main()
