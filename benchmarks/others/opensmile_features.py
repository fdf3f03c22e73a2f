"""openSMILE's eGeMAPS functionals of every file, features only, by its own processes.

python -m others.opensmile_features FOLDER --jobs 2
"""

from __future__ import annotations

import opensmile

from others.options import parse_options


def main() -> None:
    options = parse_options(__doc__)
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=options.jobs,
        multiprocessing=True,
    )
    print(smile.process_files([str(path) for path in options.files]).shape)


if __name__ == "__main__":
    main()
