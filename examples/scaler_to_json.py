"""Writes the scaler of a project, a pickle, as JSON for `batchemo models import --scaler`.

    python scaler_to_json.py scaler.pkl > scaler.json

Loading a pickle runs the code in it: do this with your own, or in a place that you can lose.
"""

import json
import pickle
import sys

with open(sys.argv[1], "rb") as file:
    scaler = pickle.load(file)
json.dump({"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}, sys.stdout)
