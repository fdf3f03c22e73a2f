"""Analyses a recordings table: a script with cells, for a notebook or the command line.

    batchemo scan examples/recordings -o results.parquet
    python examples/analyse.py results.parquet analysis.png

Editors that know `# %%` (VS Code, Spyder, PyCharm, Jupytext) run it cell by cell.
"""

# %% Read the table. It has a row for each recording, also for those that failed.
import sys

import pandas as pd

RESULTS = sys.argv[1] if len(sys.argv) > 1 else "results.parquet"
FIGURE = sys.argv[2] if len(sys.argv) > 2 else "analysis.png"

table = pd.read_parquet(RESULTS)
analysed = table[table["status"] == "ok"]
print(f"{len(table)} recordings, {table['duration'].sum() / 3600:.2f} h of audio")

# %% What failed, and why. Look at this first: a sudden rise can mean a broken recorder.
failed = table[table["status"] == "failed"]
print(failed["reason"].value_counts().to_string() if len(failed) else "nothing failed")

# %% Shares of the emotions, by number of recordings and by minutes of audio.
minutes = analysed.groupby("emotion", observed=True)["duration"].sum() / 60
shares = pd.DataFrame(
    {
        "recordings": analysed["emotion"].value_counts(),
        "share": analysed["emotion"].value_counts(normalize=True).round(3),
        "minutes": minutes.round(1),
        "confidence": analysed.groupby("emotion", observed=True)["confidence"].mean().round(2),
    }
).sort_values("recordings", ascending=False)
print(shares.to_string())

# %% Mean probabilities. Rare classes show better here than in counts of the likeliest label.
probabilities = analysed.filter(regex="^p_").rename(columns=lambda name: name.removeprefix("p_"))
print(probabilities.mean().sort_values(ascending=False).round(3).to_string())

# %% The recordings to listen to: those where the two likeliest labels are closest.
uncertain = analysed.nsmallest(5, "margin")[["file", "emotion", "confidence", "margin"]]
print(uncertain.to_string(index=False))

# %% Emotions by speaker, if the manifest has a column for it, else by folder; and by month.
if "speaker" in analysed:
    group = analysed["speaker"].rename("speaker")
else:
    paths = analysed["root"].astype(str) + "/" + analysed["file"]
    group = paths.str.split("/").str[-2].rename("folder")
by_group = pd.crosstab(group, analysed["emotion"], normalize="index")
by_month = pd.crosstab(analysed["mtime"].dt.strftime("%Y-%m").rename("month"), analysed["emotion"])
print(by_group.round(2).to_string())

# %% Plots of the same figures.
try:
    import matplotlib.pyplot as plt
except ImportError:
    sys.exit("no plots without matplotlib: pip install matplotlib")

figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
shares["share"].sort_values().plot.barh(ax=axes[0, 0], title="Share of the recordings", ylabel="")
analysed["confidence"].plot.hist(ax=axes[0, 1], bins=20, range=(0, 1), title="Confidence")
by_group.plot.barh(ax=axes[1, 0], stacked=True, title=f"By {group.name}", legend=False)
by_month.plot.bar(ax=axes[1, 1], stacked=True, title="Over time")
figure.savefig(FIGURE, dpi=120)
print(f"→ {FIGURE}")
