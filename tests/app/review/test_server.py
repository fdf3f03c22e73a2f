"""What the server of a review answers, and what it refuses."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import requests
import soundfile
from review_server import Client, served, write_recordings

from batchemo.app.review.server import MAX_BODY, id_of
from batchemo.cli.commands.review import figures_of
from batchemo.review.candidates import Candidates
from batchemo.tables.labels import key_of, read_labels

NAMES = ["a.wav", "b.wav", "c.wav", "d.wav"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review")


@pytest.fixture(scope="module")
def candidates(folder: Path) -> Candidates:
    made = write_recordings(folder / "recordings", NAMES)
    (folder / "secret.wav").write_bytes(b"secret")
    (folder / "recordings" / "link.wav").symlink_to(folder / "secret.wav")
    root = made.keys[0].root
    keys = [*made.keys[:-2], key_of(root, "../secret.wav"), key_of(root, "link.wav")]
    return replace(made, keys=keys)


@pytest.fixture(scope="module")
def shared(folder: Path, candidates: Candidates) -> Iterator[str]:
    """A server for tests that leave no answers."""
    with served(candidates, folder / "none.csv", title="<b>") as url:
        yield url


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


@pytest.fixture
def server(candidates: Candidates, labels: Path) -> Iterator[str]:
    with served(candidates, labels) as url:
        yield url


def test_the_page_may_load_and_run_nothing_but_its_own(shared: str) -> None:
    for path, kind in (("/", "html"), ("/page.js", "javascript"), ("/page.css", "css")):
        got = requests.get(shared + path, timeout=10)
        assert got.status_code == 200
        assert kind in got.headers["Content-Type"]
        policy = got.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert got.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "innerHTML" not in requests.get(shared + "/page.js", timeout=10).text


def test_other_names_and_other_sites_are_refused(shared: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert requests.get(shared, headers=headers, timeout=10).status_code == 403
        posted = requests.post(f"{shared}/api/start", json={}, headers=headers, timeout=10)
        assert posted.status_code == 403


def test_what_no_page_sends_is_refused(shared: str) -> None:
    client = Client(shared)
    assert requests.post(f"{shared}/api/next", data="{}", timeout=10).status_code == 415
    (clip,) = client.next()
    for status, name, sent in (
        (400, "next", {"reviewer": ""}),
        (400, "next", {"reviewer": "a\nb"}),
        (400, "next", {"reviewer": "x" * 61}),
        (400, "next", {"held": "x"}),
        (400, "next", {"count": 10**9}),
        (400, "answer", {"id": clip["id"], "label": "made up"}),
        (400, "answer", {"id": clip["id"]}),
        (404, "answer", {"id": "../../etc/passwd", "label": "sad"}),
        (404, "answer", {"id": ["x"], "label": "sad"}),
        (413, "next", {"held": ["x" * MAX_BODY]}),
    ):
        got = client.post(name, **sent)
        assert got.status_code == status, (name, sent, got.text)
        assert "Traceback" not in got.text
    json = {"Content-Type": "application/json"}
    for body in ("[]", "{", "[" * 20_000):
        got = requests.post(f"{shared}/api/start", data=body, headers=json, timeout=10)
        assert got.status_code == 400


def test_a_page_learns_the_labels_but_no_prediction(shared: str, candidates: Candidates) -> None:
    client = Client(shared)
    started = client.post("start").json()
    assert started["labels"] == list(candidates.labels)
    assert (started["blind"], started["title"]) == (True, "<b>")
    for clip in client.next(4):
        assert set(clip) == {"id", "file", "start", "end"}


def test_a_clip_is_played(shared: str, candidates: Candidates) -> None:
    got = requests.get(f"{shared}/api/clip/{id_of(candidates.keys[0])}", timeout=30)
    assert got.headers["Content-Type"] == "audio/wav"
    samples, rate = soundfile.read(io.BytesIO(got.content))
    assert len(samples) / rate == pytest.approx(0.6, abs=0.01)
    assert (got.headers["X-Clip-Start"], got.headers["X-Clip-Cut"]) == ("0.000", "false")


def test_only_recordings_of_the_table_below_their_roots_are_played(
    shared: str, candidates: Candidates
) -> None:
    for key in candidates.keys[-2:]:
        got = requests.get(f"{shared}/api/clip/{id_of(key)}", timeout=30)
        assert (got.status_code, "secret" in got.text) == (422, False)
    for name in ("x", "..%2f..%2fsecret.wav", "%00", id_of(key_of("/etc", "passwd"))):
        got = requests.get(f"{shared}/api/clip/{name}", timeout=30)
        assert got.status_code == 404


def test_an_answer_is_on_the_disk_when_it_is_confirmed(
    server: str, candidates: Candidates, labels: Path
) -> None:
    client = Client(server)
    (clip,) = client.next()
    told = client.post("answer", id=clip["id"], label="sad").json()
    (answer,) = read_labels(labels).answers
    assert (answer.label, answer.reviewer, answer.shown) == ("sad", "anna", "")
    row = candidates.positions[answer.key]
    assert told["prediction"] == candidates.prediction(row)
    assert told["confidence"] == pytest.approx(candidates.confidence[row])
    assert (told["own"], told["all"]) == (1, 1)


def test_an_answer_after_the_prediction_was_shown_says_so(
    server: str, candidates: Candidates, labels: Path
) -> None:
    client = Client(server)
    (clip,) = client.next()
    for label in ("sad", "", "happy"):
        told = client.post("answer", id=clip["id"], label=label).json()
    Client(server, "ben").post("answer", id=clip["id"], label="no_speech")
    assert [(a.label, a.shown) for a in read_labels(labels).answers] == [
        ("sad", ""),
        ("", ""),
        ("happy", told["prediction"]),
        ("no_speech", ""),
    ]


def test_predictions_are_shown_from_the_start_if_that_is_asked_for(
    candidates: Candidates, labels: Path
) -> None:
    with served(candidates, labels, is_blind=False) as url:
        client = Client(url)
        (clip,) = client.next()
        client.post("answer", id=clip["id"], label="unsure")
    (answer,) = read_labels(labels).answers
    assert (
        answer.shown
        == clip["prediction"]
        == candidates.prediction(candidates.positions[answer.key])
    )


def test_reviewers_at_once_get_different_recordings(server: str) -> None:
    anna, ben = Client(server, "anna", "page a"), Client(server, "ben", "page b")
    first, second = anna.next(2), ben.next(2)
    assert len({clip["id"] for clip in [*first, *second]}) == 4
    ben.post("close")
    assert {clip["id"] for clip in anna.next(4, held=[clip["id"] for clip in first])} == {
        clip["id"] for clip in second
    }


def test_what_cannot_be_played_is_skipped(server: str) -> None:
    client = Client(server)
    (clip,) = client.next()
    assert client.post("skip", id=clip["id"]).status_code == 200
    assert clip["id"] not in [other["id"] for other in client.next(4)]


def test_hostile_reviewers_write_one_line_each(server: str, labels: Path) -> None:
    names = ['=cmd("x")', "a,b", "<script>", "'"]
    for name in names:
        client = Client(server, name, page=name)
        (clip,) = client.next()
        client.post("answer", id=clip["id"], label="sad")
    assert [a.reviewer for a in read_labels(labels).answers] == names
    with labels.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["reviewer"].startswith("'=")
    assert len(rows) == 4


def test_the_figures_are_those_of_the_labels_so_far(candidates: Candidates, labels: Path) -> None:
    with served(candidates, labels, figures=partial(figures_of, candidates, str(labels), 0)) as url:
        client = Client(url)
        (clip,) = client.next()
        client.post("answer", id=clip["id"], label="sad")
        tables = requests.get(f"{url}/api/figures", timeout=10).json()
    assert ["recordings answered", "1"] in tables[0]["rows"]
    assert [table["title"] for table in tables[1:3]] == [
        "Precision",
        "Confusion: labels and predictions",
    ]


def test_a_disk_that_cannot_be_written_to_is_told(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(server)
    (clip,) = client.next()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("batchemo.tables.labels.sync", full)
    got = client.post("answer", id=clip["id"], label="sad")
    assert got.status_code == 507
    assert "labels.csv: No space left on device" in got.text
