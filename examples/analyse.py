"""What is in a table of results: a script with cells, for a notebook or the command line.

    batchemo scan examples/recordings -o results.parquet
    python examples/analyse.py results.parquet analysis.png

Editors that know `# %%` (VS Code, Spyder, PyCharm, Jupytext) run it cell by cell.
"""

# %% Read the table. Each row is a recording, whatever became of it.
import sys

import pandas as pd

RESULTS = sys.argv[1] if len(sys.argv) > 1 else "results.parquet"
FIGURE = sys.argv[2] if len(sys.argv) > 2 else "analysis.png"

table = pd.read_parquet(RESULTS)
heard = table[table["status"] == "ok"]
print(f"{len(table)} recordings, {table['duration'].sum() / 3600:.2f} h of sound")

# %% What failed, and why. Look at this first: a rate that jumps tells of a broken recorder.
failed = table[table["status"] == "failed"]
print(failed["reason"].value_counts().to_string() if len(failed) else "nothing failed")

# %% Shares of the emotions: counted by recording, and weighed by minutes of sound.
minutes = heard.groupby("emotion", observed=True)["duration"].sum() / 60
shares = pd.DataFrame(
    {
        "recordings": heard["emotion"].value_counts(),
        "share": heard["emotion"].value_counts(normalize=True).round(3),
        "minutes": minutes.round(1),
        "confidence": heard.groupby("emotion", observed=True)["confidence"].mean().round(2),
    }
).sort_values("recordings", ascending=False)
print(shares.to_string())

# %% The mean probabilities. Kinder to rare classes than counting the winners only.
probabilities = heard.filter(regex="^p_").rename(columns=lambda name: name.removeprefix("p_"))
print(probabilities.mean().sort_values(ascending=False).round(3).to_string())

# %% Which recordings to listen to: those that the model is least sure of.
unsure = heard.nsmallest(5, "margin")[["file", "emotion", "confidence", "margin"]]
print(unsure.to_string(index=False))

# %% By speaker, if a manifest said who speaks, else by folder; and over time.
if "speaker" in heard:
    group = heard["speaker"].rename("speaker")
else:
    paths = heard["root"].astype(str) + "/" + heard["file"]
    group = paths.str.split("/").str[-2].rename("folder")
by_group = pd.crosstab(group, heard["emotion"], normalize="index")
by_month = pd.crosstab(heard["mtime"].dt.strftime("%Y-%m").rename("month"), heard["emotion"])
print(by_group.round(2).to_string())

# %% The same as pictures.
try:
    import matplotlib.pyplot as plt
except ImportError:
    sys.exit("no pictures: pip install matplotlib")

figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
shares["share"].sort_values().plot.barh(ax=axes[0, 0], title="Share of the recordings", ylabel="")
heard["confidence"].plot.hist(ax=axes[0, 1], bins=20, range=(0, 1), title="Confidence")
by_group.plot.barh(ax=axes[1, 0], stacked=True, title=f"By {group.name}", legend=False)
by_month.plot.bar(ax=axes[1, 1], stacked=True, title="Over time")
figure.savefig(FIGURE, dpi=120)
print(f"→ {FIGURE}")
