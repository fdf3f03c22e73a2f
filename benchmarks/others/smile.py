"""openSMILE's eGeMAPS functionals of every file, features only, by its own processes."""

from __future__ import annotations

import opensmile

from others.words import options


def main() -> None:
    told = options(__doc__)
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=told.jobs,
        multiprocessing=True,
    )
    print(smile.process_files([str(path) for path in told.files]).shape)


if __name__ == "__main__":
    main()
