"""Files of turns as the tools write them: anna speaks from 12.3 to 16.42 s."""

from __future__ import annotations

import json

RTTM = """\
;; made by a tool
SPKR-INFO call 1 <NA> <NA> <NA> unknown anna <NA> <NA>
SPEAKER call 1 12.3 4.12 <NA> <NA> anna <NA> <NA>
SPEAKER other 1 0.5 1 <NA> <NA> <NA> <NA> <NA>
"""
AUDACITY = "\ufeff12.300000\t16.420000\tanna\n\\\t100.0\t4000.0\n1,5\t2,5\n"
TEXTGRID = """\
File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 20
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "anna"
        xmin = 0
        xmax = 20
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 12.3
            text = ""
        intervals [2]:
            xmin = 12.3
            xmax = 16.42
            text = "she said ""no"" 5 times"
        intervals [3]:
            xmin = 16.42
            xmax = 20
            text = "  "
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 20
        points: size = 1
        points [1]:
            number = 3
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "ben"
        xmin = 0
        xmax = 20
        intervals: size = 1
        intervals [1]:
            xmin = 1.5
            xmax = 2.5
            text = "yes"
"""
SHORT_TEXTGRID = """\
"ooTextFile"
"TextGrid"
0
20
<exists>
1
"IntervalTier"
"anna"
0
20
1
12.3
16.42
"said"
"""
EAF = """\
<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="12300"/>
    <TIME_SLOT TIME_SLOT_ID="ts2"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="16420"/>
  </TIME_ORDER>
  <TIER TIER_ID="A_Transcription" PARTICIPANT="anna">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1"
      TIME_SLOT_REF2="ts3"><ANNOTATION_VALUE>two words</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>
    </ANNOTATION>
  </TIER>
  <TIER TIER_ID="words" PARTICIPANT="anna" PARENT_REF="A_Transcription">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts1"
      TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>two</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>
    </ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""
WHISPERX = json.dumps(
    {
        "segments": [
            {"start": 12.3, "end": 16.42, "text": "no", "speaker": "SPEAKER_00", "words": []},
            {"start": 17, "end": 18.5, "text": "yes"},
        ],
        "word_segments": [],
    }
)
