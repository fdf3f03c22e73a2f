"""What stands on the card of a model with the pretrained encoder: sources, licences, what it heard.

Its weights are part of the bundle, and both licences ask for their text to go with them.
"""

from __future__ import annotations

from collections.abc import Mapping

WHISPER, SMART_TURN = "pretrained encoder, Whisper tiny", "pretrained encoder, smart-turn 3.2"

ENCODER_LICENCES: Mapping[str, str] = {WHISPER: "MIT", SMART_TURN: "BSD-2-Clause"}
"""The licences of the encoder's weights by where they come from."""

ENCODER_CITATION = (
    "Radford et al. (2022), Robust Speech Recognition via Large-Scale Weak Supervision,"
    " arXiv 2212.04356 (Whisper), MIT"
)

_MIT = """\
MIT License

Copyright (c) 2022 OpenAI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

_BSD = """\
BSD 2-Clause License

Copyright (c) 2024–2026, Daily

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this
   list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""

ENCODER_CHAPTER = f"""\
## Pretrained encoder

The first layers are the beginning of the encoder of Whisper tiny, as smart-turn 3.2 has it, or (in
`default`) a lighter encoder that started from its weights and learnt to give what it gives. They
were not changed by this training. Whisper learnt to transcribe 680,000 hours of audio from the web,
in many languages, whose sources are not stated in detail; smart-turn then learnt from its data of
conversations where a turn ends. Neither learnt emotions, but either may have heard recordings that
this model is tested on. The lighter encoder learnt from recordings of nEMO, speechocean and
emospeech, without their labels.

Whisper:

```
{_MIT}```

smart-turn:

```
{_BSD}```
"""
