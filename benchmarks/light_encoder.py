"""Makes the light encoder of the recipe default from the pretrained one and unlabelled recordings.

    python benchmarks/light_encoder.py NEMO SPEECHOCEAN EMOSPEECH \
        --encoder smart-turn-v3.2-cpu.onnx --work own.work -o light-encoder.onnx

It learns to give what the pretrained encoder gives; labels are not read. What the recipe is then
evaluated on should not be among the folders. Needs `pip install '.[train]'` and takes half an hour
on two cores that compute with bfloat16 (`--bfloat16`), twice that on others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.corpora import read_corpus
from batchemo.training.data.augment_spectrogram import unpadded_length
from batchemo.training.data.feature_store import gather_items
from batchemo.training.experiment.context import FEATURES
from batchemo.training.fit.distil import DistilConfig, distil
from batchemo.training.nets.encoder import build_frame_encoder, read_encoder
from batchemo.training.nets.light_encoder import build_light_encoder, weights_of
from batchemo.training.nets.light_graph import light_graph, measure_ranges
from batchemo.training.recipes import get_recipe

_RANGE_BATCHES, _RANGE_BATCH_SIZE = 60, 16


def main() -> None:
    options = _options()
    floor = get_recipe("accurate").floor
    assert floor is not None
    corpora = [_spectrograms(folder, floor, options) for folder in options.corpora]
    pretrained = read_encoder(options.encoder)
    if options.bfloat16:
        _compute_with_bfloat16()
    student = build_light_encoder(pretrained, floor)
    distil(
        build_frame_encoder(pretrained, floor),
        student,
        corpora,
        floor,
        DistilConfig(steps=options.steps),
        on_step=lambda step, loss: print(f"step {step}: loss {loss:.4f}", flush=True),
    )
    weights = weights_of(student)
    graph = light_graph(weights, floor, measure_ranges(weights, floor, _batches(corpora, floor)))
    with atomic_write(options.out, shared=True) as file:
        file.write(graph)


def _compute_with_bfloat16() -> None:
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")


def _spectrograms(folder: Path, floor: float, options: argparse.Namespace) -> list[Float32]:
    """Return the log-mels of all recordings, each as it is and in one augmented copy."""
    recipe = get_recipe("accurate")
    gathered = gather_items(
        read_corpus([folder]).examples,
        recipe.features,
        recipe.windows,
        recipe.hyperparameters.augmentations,
        main_corpus="none: no recording gets more than one copy",
        folder=options.work / FEATURES,
        jobs=options.jobs,
    )
    print(f"{folder.name}: {len(gathered.items)} spectrograms", flush=True)
    # Half precision, without padding: all of them are held in memory.
    return [
        window[: unpadded_length(window, floor)].astype(np.float16)
        for item in gathered.items
        for window in item.windows
    ]


def _batches(corpora: Sequence[Sequence[Float32]], floor: float) -> Iterator[Float32]:
    """Yield some spectrograms, unchanged, to measure ranges on."""
    random = np.random.default_rng(0)
    for number in range(_RANGE_BATCHES):
        spectrograms = corpora[number % len(corpora)]
        chosen = random.choice(len(spectrograms), _RANGE_BATCH_SIZE)
        longest = max(len(spectrograms[index]) for index in chosen)
        shape = (_RANGE_BATCH_SIZE, longest, spectrograms[0].shape[1])
        batch = np.full(shape, floor, np.float32)
        for row, index in zip(batch, chosen, strict=True):
            row[: len(spectrograms[index])] = spectrograms[index]
        yield batch


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", nargs="+", type=Path, help="folders of recordings")
    parser.add_argument("--encoder", type=Path, required=True, help="the pretrained encoder's file")
    parser.add_argument("--work", type=Path, default=Path("own.work"), help="the work folder")
    parser.add_argument("--steps", type=int, default=DistilConfig().steps, help="of training")
    parser.add_argument("--bfloat16", action="store_true", help="compute with half precision")
    parser.add_argument("--jobs", type=int, default=1, help="recordings decoded at a time")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the new file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
