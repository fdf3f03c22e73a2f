"""A model bundle: where it is found, and what it holds once it is verified.

A bundle is a folder:

    bundle.json        what the model takes and gives, and the digest of every other file
    model.onnx         the graph that a scan runs
    model.onnx.data    its weights, where both are too large for one file
    README.md          the model card
    head.onnx          of an adapted model: its head alone
    model.keras        the same model for TensorFlow (optional)
    training_set.csv   the recordings it was trained on, by digest (optional)
    training.csv, curves.png, coverage.png, reliability.png (optional)
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from batchemo.bundles.calibration import Calibration
from batchemo.bundles.model_input import ModelInput
from batchemo.bundles.schema import CARD, GRAPH, GRAPH_DATA, KERAS, check_info
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError, UsageError

INFO = "bundle.json"
MAX_INFO_BYTES = 2**20

_FRONT_MATTER = "---\n"

OUTPUTS = ("classes", "dimensions", "familiarity", "embedding", "base")
"""The outputs of a graph that are read, by the names of their kinds. A bundle has classes, or
dimensions, or both."""

ForwardFn: TypeAlias = Callable[[Float32], Mapping[str, Float32]]
"""A batch of inputs (batch_size, *shape) → (batch_size, size) of each of `Bundle.outputs`; of the
`classes`, their logits."""

HeadFn: TypeAlias = Callable[[Mapping[str, Float32]], Float32]
"""What the base gives for windows, by kind (`base` for its logits), → the adapted logits."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle; `info` is the whole of its bundle.json, `digest` its identity."""

    path: Path
    digest: str
    info: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name that stands in tables."""
        return str(self.info["name"])

    @property
    def description(self) -> str:
        """The model in one sentence."""
        return str(self.info["description"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities; none of a model without classes."""
        return tuple(self.info["outputs"].get("classes", {}).get("labels", ()))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that it was trained to give, in the order of the graph's output."""
        return tuple(self.info["outputs"].get("dimensions", {}).get("dimensions", ()))

    def require_labels(self, purpose: str) -> None:
        """Raise UsageError for a model without classes; `purpose` needs them."""
        if not self.labels:
            raise UsageError(
                f"{self.name}: gives {', '.join(self.dimensions)}, and no labels, which {purpose} "
                "needs: name a model that has labels"
            )

    @property
    def input(self) -> ModelInput:
        """What the graph takes; BundleError if this batchemo cannot compute its features."""
        return ModelInput.from_dict(self.info["input"])

    @property
    def features(self) -> Mapping[str, Any] | None:
        """The feature set as it stands in bundle.json; None where the input is a waveform."""
        features: Mapping[str, Any] | None = self.info["input"].get("features")
        return features

    @property
    def rate(self) -> int:
        """Samples a second of the windows."""
        return int(self.info["input"]["rate"])

    @property
    def window(self) -> float:
        """Seconds of a window, unless the user asks for others."""
        return float(self.info["input"]["window"])

    @property
    def hop(self) -> float:
        """Seconds from one window to the next, unless the user asks for others."""
        return float(self.info["input"]["hop"])

    @property
    def window_range(self) -> tuple[float, float]:
        """The shortest and the longest window that the graph may be given, in seconds."""
        shortest, longest = self.info["input"]["window_range"]
        return float(shortest), float(longest)

    @property
    def outputs(self) -> dict[str, Mapping[str, Any]]:
        """What bundle.json says of each output that is read, by its kind."""
        declared = self.info["outputs"]
        return {kind: declared[kind] for kind in OUTPUTS if kind in declared}

    @property
    def base(self) -> tuple[str, str, tuple[str, ...]]:
        """The name, digest and labels of the model whose embedding and logits this one has.

        That is the model which an adapted one was made from; any other is its own base.
        """
        base = self.info["outputs"].get("base")
        if base is None:
            return self.name, self.digest, self.labels
        return str(base["model"]), str(base["digest"]), tuple(base["labels"])

    @property
    def calibration(self) -> Calibration:
        """How logits become calibrated probabilities."""
        return Calibration.from_dict(self.info["calibration"])

    @property
    def licence(self) -> str:
        """The licence of the weights."""
        return str(self.info["licences"]["weights"])

    @property
    def is_shipped(self) -> bool:
        """Whether it came with this code, and can be trusted as much."""
        return self.path.parent == models_folder()

    @property
    def weight_bytes(self) -> int:
        """The size of the graph, which is that of its weights but for a few kilobytes."""
        files = self.info["files"]
        return sum(files[name]["bytes"] for name in (GRAPH, GRAPH_DATA) if name in files)

    @property
    def has_keras(self) -> bool:
        """Whether it can run on TensorFlow as well."""
        return KERAS in self.info["files"]

    @property
    def card(self) -> str:
        """The model card, as Markdown, without the metadata that may stand before it."""
        text = self.read(CARD).decode("utf-8")
        if text.startswith(_FRONT_MATTER):
            _, end, rest = text.removeprefix(_FRONT_MATTER).partition("\n---\n")
            return rest.lstrip("\n") if end else text
        return text

    def read(self, name: str) -> bytes:
        """Return the bytes of one of its files, verified again as they are read."""
        facts = self.info["files"].get(name)
        if facts is None:
            raise BundleError(f"{self.path}: this bundle has no {name}")
        content = _read_inside(self.path, name, facts["bytes"])
        self._check_digest(name, hashlib.sha256(content).hexdigest())
        return content

    def verify(self, name: str) -> None:
        """Check one of its files against its digest, without holding all of it."""
        digest = hashlib.sha256()
        for block in _blocks_inside(self.path, name, self.info["files"][name]["bytes"]):
            digest.update(block)
        self._check_digest(name, digest.hexdigest())

    def _check_digest(self, name: str, found: str) -> None:
        expected = self.info["files"][name]["sha256"]
        if found != expected:
            raise BundleError(
                f"{self.path / name}: is not the file that the bundle was made with (expected "
                f"SHA-256 {expected[:12]}…, found {found[:12]}…). Copy the bundle again."
            )


def models_folder() -> Path:
    """Return the folder of the shipped bundles."""
    return Path(__file__).parent.parent / "models"


def list_bundles() -> tuple[str, ...]:
    """Return the names of the shipped bundles."""
    if not models_folder().is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in models_folder().glob(f"*/{INFO}")))


def find_bundle(name_or_path: str | Path) -> Path:
    """Return the folder of a bundle, by its name or as it is.

    A shipped bundle's name comes first, then that of a user's, then a folder of that name here.

    >>> find_bundle("no-such-model")
    Traceback (most recent call last):
    batchemo.errors.UsageError: no-such-model: there is no such model; ...
    """
    # That module needs the names of shipped models from here.
    from batchemo.bundles.user_models import list_user_bundles, user_models_folder

    if isinstance(name_or_path, str) and name_or_path in list_bundles():
        return models_folder() / name_or_path
    own = list_user_bundles()
    if isinstance(name_or_path, str) and name_or_path in own:
        return user_models_folder() / name_or_path
    folder = Path(name_or_path)
    if (folder / INFO).is_file():
        return folder
    shipped = ", ".join(list_bundles()) or "none"
    yours = f"; yours are: {', '.join(own)}" if own else ""
    reason = f"holds no {INFO}" if folder.exists() else "there is no such model"
    raise UsageError(
        f"{name_or_path}: {reason}; the shipped models are: {shipped}{yours}. "
        "Name one of them, or the folder of a bundle."
    )


def load_bundle(name_or_path: str | Path) -> Bundle:
    """Read a bundle by the name of a shipped one, or by its folder, and verify all of it.

    Nothing of the model runs, and no runtime is imported.

    >>> load_bundle("default").labels[:3]
    ('neutral', 'calm', 'happy')
    """
    folder = find_bundle(name_or_path)
    content = _read_inside(folder, INFO, None)
    try:
        info = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
        check_info(info)
    # Deep nesting exhausts the parser's stack.
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{folder / INFO}: is no JSON: {error}") from error
    except BundleError as error:
        raise BundleError(f"{folder}: {error}") from error
    bundle = Bundle(folder, hashlib.sha256(content).hexdigest(), info)
    for name in info["files"]:
        bundle.verify(name)
    return bundle


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _read_inside(folder: Path, name: str, size: int | None) -> bytes:
    return b"".join(_blocks_inside(folder, name, size, size or MAX_INFO_BYTES))


def _blocks_inside(
    folder: Path, name: str, size: int | None, at_a_time: int = 2**22
) -> Iterator[bytes]:
    """Read a file that must lie in this very folder, and have this size if one is known."""
    path = folder / name
    # A link could make any file of the machine part of a bundle.
    if path.resolve().parent != folder.resolve():
        raise BundleError(f"{path}: is a link out of the bundle; put the file itself there")
    try:
        facts = path.stat()
        # Reading from a pipe or a device might never end.
        if not stat.S_ISREG(facts.st_mode):
            raise BundleError(f"{path}: is no regular file")
        if size is None and facts.st_size > MAX_INFO_BYTES:
            raise BundleError(
                f"{path}: is larger than {MAX_INFO_BYTES} bytes, which no bundle's is"
            )
        if size is not None and facts.st_size != size:
            raise BundleError(
                f"{path}: has {facts.st_size} bytes where {INFO} says {size}. "
                "Copy the bundle again."
            )
        with path.open("rb") as file:
            while block := file.read(max(1, at_a_time)):
                yield block
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
