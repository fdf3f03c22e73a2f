"""The content of bundle.json is checked key by key, and refused with the place of the mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import tiny_info

from batchemo.bundles import Bundle, load_bundle
from batchemo.bundles.schema import FORMAT, MAX_EMBEDDING_SIZE, check_info
from batchemo.errors import BundleError
from batchemo.features import get_feature_set
from batchemo.features.limits import MAX_RATE

FILE = {"sha256": "0" * 64, "bytes": 1}
DIMENSIONS = {"name": "d", "dimensions": ["arousal"], "ranges": {"arousal": [0, 1]}}


def made_info(**changes: Any) -> dict[str, Any]:
    """Return a valid bundle.json, with changes as `tiny_info` takes them."""
    files = {"model.onnx": dict(FILE), "README.md": dict(FILE)}
    info = {"format": FORMAT, **tiny_info(**changes), "files": files}
    copy: dict[str, Any] = json.loads(json.dumps(info))
    return copy


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"padding": "masked"},
        {"padding": "forbidden"},
        {"normalisation": "none"},
        {"waveform": True},
        {"waveform": True, "normalisation": "zero_mean_unit_variance", "padding": "forbidden"},
        {"outputs": {"dimensions": DIMENSIONS}},
        {"outputs": {"dimensions": DIMENSIONS, "embedding": {"name": "e", "size": 512}}},
        {"licences": {"weights": "MIT", "training_data": {"ravdess": "CC BY-NC-SA 4.0"}}},
    ],
)
def test_everything_that_the_format_allows_is_accepted(changes: dict[str, Any]) -> None:
    check_info(made_info(**changes))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 1, "format 1 is not known.*Update batchemo"),
        ("format", FORMAT + 1, f"format {FORMAT + 1} is not known"),
        ("extra", 1, "the whole: should be without the unknown extra"),
        ("name", "a/b", "name: should be a plain name"),
        ("input extra", 1, "input: should be without the unknown extra"),
        ("input type", "picture", "input: type: should be 'features' or 'waveform'"),
        ("input type", ["features"], "input: type: should be"),
        ("input type", "waveform", "input: should be without the unknown features"),
        ("input features", {"name": "x"}, "input: features: rate: should be a whole number"),
        ("input features", None, "input: features: should be an object"),
        ("input rate", 8000, "input: rate: should be the feature set's, 16000"),
        ("input rate", MAX_RATE + 1, "input: rate: should be at most 192,000 Hz"),
        ("input rate", 16000.0, "input: rate: should be a whole number"),
        ("input window", 0, "input: window: should be a number above 0"),
        ("input window", True, "input: window: should be a number above 0"),
        ("input window", 99.0, "input: window: should be within window_range"),
        ("input window_range", [5.0, 1.0], "input: window: should be within window_range"),
        ("input window_range", [1.0, 601.0], r"window_range\[1\]: .* from 0.01 to 600 seconds"),
        ("input window_range", [1e-300, 5.0], r"window_range\[0\]: .* from 0.01 to 600 seconds"),
        ("input window", 1e-300, "input: window: should be from 0.01 to 600 seconds"),
        ("input hop", 1e-300, "input: hop: should be from 0.01 to 600 seconds"),
        ("input window_range", 3.0, "input: window_range: should be a list of the shortest"),
        ("input hop", 4.0, "input: hop: should be at most the window"),
        ("input normalisation", "x", "input: normalisation: should be 'graph' or 'none' or"),
        ("input normalisation", "zero_mean_unit_variance", "should be 'graph' or 'none' for feat"),
        ("input padding", "zeros", "input: padding: should be 'masked' or 'forbidden' or 'trained"),
        ("outputs classes labels", ["one"], "classes: labels: should be a list of 2 to"),
        ("outputs classes labels", ["a", "a"], "labels: should be a list without repetition"),
        ("outputs classes labels", ["a", "b c"], r"labels\[1\]: should be a plain name"),
        ("outputs classes name", "", "outputs: classes: name: should be a text"),
        ("outputs", {}, "outputs: classes: is missing; a scan needs the labels"),
        ("outputs extra", {}, "outputs: should be without the unknown extra"),
        ("outputs embedding", {"name": "e", "size": 0}, "embedding: size: should be a whole"),
        (
            "outputs embedding",
            {"name": "e", "size": MAX_EMBEDDING_SIZE + 1},
            "embedding: size: should be at most 65,536",
        ),
        ("outputs embedding", {"name": "logits", "size": 2}, "outputs: should be of different na"),
        ("outputs dimensions", {**DIMENSIONS, "dimensions": []}, "should be a list of 1 to 3"),
        ("outputs dimensions", {**DIMENSIONS, "ranges": {}}, "ranges: should be one for each of"),
        (
            "outputs dimensions",
            {**DIMENSIONS, "ranges": {"arousal": [1, 0]}},
            "ranges: arousal: should be a list of the least and the greatest",
        ),
        ("calibration", {"method": "temperature"}, "calibration: temperature: is missing"),
        ("calibration temperature", 0, "calibration: temperature: should be a number above 0"),
        ("calibration", {"method": "none"}, "method: should be 'temperature' or 'familiarity_temp"),
        ("calibration slope", 1, "calibration: should be without the unknown slope"),
        (
            "calibration",
            {"method": "familiarity_temperature", "temperature": 1.0},
            "calibration: slope: is missing",
        ),
        (
            "calibration",
            {"method": "familiarity_temperature", "temperature": 1.0, "slope": 1},
            "outputs: familiarity: is missing; the calibration familiarity_temperature needs it",
        ),
        ("outputs familiarity", {"name": "f", "size": 1}, "without the unknown size"),
        ("licences", {"weights": "MIT"}, "licences: training_data: is missing"),
        ("licences training_data", {"ravdess": 4}, "training_data: ravdess: should be a text"),
        ("files", {}, "files: model.onnx is missing"),
        ("files model.onnx bytes", 2**40, "files: model.onnx: bytes: should be at most"),
    ],
)
def test_a_mistake_is_refused_with_its_place(path: str, value: Any, message: str) -> None:
    info = made_info()
    *parents, key = path.split(" ")
    place = info
    for parent in parents:
        place = place[parent]
    place[key] = value

    with pytest.raises(BundleError, match=message):
        check_info(info)


@pytest.mark.parametrize(
    ("temperature", "slope"), [(1.0, 7.0), (1.0, -7.0), (500.0, 0.7), (1.0, 1e200), (0.001, -0.1)]
)
def test_no_window_may_get_a_temperature_out_of_bounds(temperature: float, slope: float) -> None:
    info = made_info(outputs={"familiarity": {"name": "f"}})
    method = {"method": "familiarity_temperature", "temperature": temperature}
    info["calibration"] = {**method, "slope": slope}

    with pytest.raises(BundleError, match=r"calibration: slope: should be from .* to .*, so that"):
        check_info(info)
    check_info({**info, "calibration": {**method, "slope": 0.1}})


def test_a_window_of_too_many_samples_is_refused() -> None:
    info = made_info(waveform=True, rate=MAX_RATE, window_range=[1.0, 600.0])

    with pytest.raises(BundleError, match="window_range: should be at most 10,000,000 samples"):
        check_info(info)


def test_a_bound_on_windows_grows_with_the_number_of_labels() -> None:
    labels = [f"label{number}" for number in range(500)]
    check_info(made_info(labels=labels, hop=0.5))

    with pytest.raises(BundleError, match=r"input: hop: should be at least 0\.5 s for 500 labels"):
        check_info(made_info(labels=labels, hop=0.49))


@pytest.mark.parametrize(
    ("name", "params", "window_range", "message"),
    [
        ("logmel64", {"n_fft": 16384, "win_length": 16384}, [1, 600], "60,001 frames of 8,193"),
        ("logmel64", {"hop": 1}, [1, 10], "10,240,064 values"),
        ("logmel64", {"n_mels": 512, "hop": 16}, [1, 30], "15,360,512 values"),
        ("functionals", {"n_fft": 16384}, [1, 60], "6,001 frames of 8,193"),
        ("functionals", {"hop": 1}, [1, 10], "48,001 frames of 513"),
        ("frames62", {"frames": 100_000, "hop": 100}, [3.5, 3.5], "100,000 frames of 1,025"),
        ("stats162", {"n_fft": 16384}, [1, 60], "2,584 frames of 8,193"),
    ],
)
def test_products_that_take_too_much_memory_are_refused_before_anything_is_computed(
    tiny_bundle: Bundle,
    name: str,
    params: dict[str, Any],
    window_range: list[float],
    message: str,
) -> None:
    features = get_feature_set(name).to_dict()
    features["params"] |= params
    info = made_info(features=features, window=window_range[0], hop=0.5, window_range=window_range)
    check_info(info)

    with pytest.raises(BundleError, match=message):
        _ = Bundle(tiny_bundle.path, "", info).input


def test_loading_refuses_with_the_path_of_the_bundle(tiny_bundle: Bundle) -> None:
    info = {**tiny_bundle.info, "extra": 1}
    (tiny_bundle.path / "bundle.json").write_text(json.dumps(info))

    with pytest.raises(BundleError, match="unknown extra") as refusal:
        load_bundle(tiny_bundle.path)
    assert str(tiny_bundle.path) in str(refusal.value)


def test_features_that_this_version_cannot_compute_are_refused_when_they_are_needed(
    tiny_bundle: Bundle,
) -> None:
    features = {**get_feature_set("logmel64").to_dict(), "kind": "wavelets"}
    info = made_info(features=features)
    check_info(info)

    with pytest.raises(BundleError, match="'wavelets'"):
        _ = Bundle(tiny_bundle.path, "", info).input


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["../x", "a/b", "\x1b[2J", "\u202e", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(JSON, st.dictionaries(st.sampled_from(["input", "outputs", "files", "licences"]), JSON))
def test_any_json_raises_nothing_but_a_bundle_error(whole: Any, parts: dict[str, Any]) -> None:
    for info in (whole, {"format": FORMAT, **parts}):
        with pytest.raises(BundleError):
            check_info(info)


@st.composite
def changed_infos(draw: st.DrawFn) -> Any:
    """Draw a valid bundle.json in which one key, somewhere, is changed, removed or added."""
    outputs = {"dimensions": DIMENSIONS, "embedding": {"name": "e", "size": 8}}
    info = made_info(waveform=draw(st.booleans()), outputs=outputs)
    place = info
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        below = place[key]
        if not isinstance(below, (dict, list)) or not below or draw(st.booleans()):
            break
        place = below
    change = draw(st.sampled_from(["change", "remove", "add"]))
    if change == "change":
        place[key] = draw(JSON)
    elif change == "remove":
        del place[key]
    elif isinstance(place, dict):
        place[draw(st.text(min_size=1, max_size=9))] = draw(JSON)
    else:
        place.append(draw(JSON))
    return info


@given(changed_infos())
@settings(max_examples=300)
def test_a_changed_bundle_json_is_refused_or_is_still_consistent(info: Any) -> None:
    try:
        check_info(info)
    except BundleError as error:
        assert "bundle.json" in str(error)  # noqa: PT017 - it may be none
        return
    bundle = Bundle(Path("somewhere"), "", info)
    shortest, longest = bundle.window_range
    assert 0 < shortest <= bundle.window <= longest <= 600
    assert 0 < bundle.hop <= bundle.window
    assert 0.001 <= bundle.calibration.temperature <= 1000
    assert 0 < bundle.rate <= MAX_RATE
    assert len(set(bundle.labels)) == len(bundle.labels) != 1
    assert bundle.labels or bundle.dimensions
    assert bundle.licence
    assert all("/" not in name and name not in (".", "..") for name in info["files"])


@pytest.mark.parametrize("padding", ["masked", "trained"])
def test_padding_is_cut_to_a_step_only_where_it_is_masked(padding: str) -> None:
    info = made_info(padding=padding)
    info["input"]["padding_step"] = 100

    if padding == "masked":
        check_info(info)
        return
    with pytest.raises(BundleError, match="without the unknown padding_step"):
        check_info(info)


@pytest.mark.parametrize("step", [0, 1.5, True, 10**6])
def test_a_padding_step_is_a_whole_number_in_bounds(step: object) -> None:
    info = made_info(padding="masked")
    info["input"]["padding_step"] = step

    with pytest.raises(BundleError, match="padding_step"):
        check_info(info)
