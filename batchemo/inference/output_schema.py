"""The columns of a run's tables: ours, the manifest's, and those of the previous table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.inference.provenance import short_id
from batchemo.inference.settings import (
    EACH_CHANNEL,
    NO_POSTPROCESSING,
    ModelSettings,
    PostprocessSettings,
)
from batchemo.tables.columns import TURNS, reserved_columns
from batchemo.tables.schema import (
    EmbeddingShape,
    chunk_schema,
    embeddings_schema,
    recordings_schema,
    segments_schema,
)
from batchemo.tables.write import csv_schema, table_format, with_provenance

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class EmbeddingOutput:
    """The embeddings that a run writes: their size, and how they were made."""

    model: str
    """The value of the column `model` in the rows whose embeddings they are."""
    shape: EmbeddingShape
    provenance: dict[str, Any]
    batch_size: int
    adapted: Bundle | None = None
    """The model, if it is adapted: then its head can be run alone."""
    base_models: tuple[str, ...] = ()
    """The value of that column for its base, with the same settings."""

    def model_like(self, name: str, digest: str) -> str:
        """Return that value for another model with the settings of this run."""
        settings = self.model.partition(" ")[2]
        return " ".join(filter(None, (short_id(name, digest), settings)))


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The columns of the tables of a run, known before any row is."""

    labels: tuple[str, ...]
    manifest: pa.Table | None
    segments: bool
    """Whether rows carry their windows, for a segments table."""
    provenance: dict[str, Any]
    """How the run was made, for the metadata of the tables."""
    previous_columns: pa.Schema | None = None
    """Columns that only the previous table has; its rows keep them in an update."""
    models: tuple[str, ...] = ()
    """The names of several models with labels; a single one has no columns of its own."""
    window_models: tuple[str, ...] = ()
    """The names of several models, with labels or without, in the order of their indices."""
    measured: tuple[str, ...] = ()
    """The dimensions that a model gives, in the order of their columns."""
    postprocess: PostprocessSettings = NO_POSTPROCESSING
    tries: bool = False
    """Whether there is a column that counts the runs that have tried a failed recording."""
    embeddings: EmbeddingOutput | None = None
    """What the embeddings table has, where there is to be one."""
    turns: tuple[str, ...] = ()
    """The columns of turns; without any, each recording is one row."""

    @property
    def optional(self) -> tuple[str, ...]:
        """The optional blocks of columns that the recordings table has."""
        return (
            *self.turns,
            *self.postprocess.optional,
            *self.measured,
            *(("tries",) if self.tries else ()),
        )

    @property
    def reserved(self) -> frozenset[str]:
        """The names of our own columns; a manifest's column of such a name is renamed."""
        names = reserved_columns(self.labels, self.models, self.optional)
        return names if self.embeddings is None else names | {"embedding", "by_window"}

    @property
    def extras(self) -> list[pa.Field]:
        """The columns after our own."""
        manifest = [] if self.manifest is None else list(self.manifest.schema)
        return manifest + ([] if self.previous_columns is None else list(self.previous_columns))

    def chunk_schema(self) -> pa.Schema:
        """Return the schema of a file of the chunk store."""
        shape = None if self.embeddings is None else self.embeddings.shape
        return self._chunk_schema(shape)

    def _chunk_schema(self, embeddings: EmbeddingShape | None) -> pa.Schema:
        return chunk_schema(
            self.labels,
            segments=self.segments,
            models=self.models,
            several_models=bool(self.window_models),
            measured=self.measured,
            tries=self.tries,
            embeddings=embeddings,
            turns=self.turns,
        )

    def rows_with_extras_schema(self) -> pa.Schema:
        """Return the schema of rows from the chunk store followed by the columns of `extras`.

        Without embeddings, which are too large to be held with as many rows as a table is written
        in at a time.
        """
        import pyarrow as pa

        return pa.schema([*self._chunk_schema(None), *self.extras])

    def recordings_schema(self) -> pa.Schema:
        """Return the schema of the recordings table."""
        import pyarrow as pa

        extras = pa.schema(self.extras)
        schema = recordings_schema(self.labels, extras, models=self.models, optional=self.optional)
        return with_provenance(schema, self.provenance)

    def recordings_with_segments_schema(self) -> pa.Schema:
        """Return the schema of recordings rows that still carry their windows, if they do.

        The segments table is written from the same rows as the recordings table, which then drops
        this last column.
        """
        schema = self.recordings_schema()
        return schema.append(self.chunk_schema().field("segments")) if self.segments else schema

    def segments_schema(self) -> pa.Schema:
        """Return the schema of the segments table."""
        several_models = bool(self.window_models)
        schema = segments_schema(self.labels, several_models=several_models, optional=self.optional)
        return with_provenance(schema, self.provenance)

    def embeddings_schema(self) -> pa.Schema:
        """Return the schema of the embeddings table, which there must be."""
        assert self.embeddings is not None
        schema = embeddings_schema(self.embeddings.shape, self.turns)
        return with_provenance(schema, self.embeddings.provenance)

    def check(
        self, group_by: str | None, output: Path | None, partition_by: str | None = None
    ) -> None:
        """Refuse columns that could not be written or grouped by, before any work is done."""
        if output is None or (partition_by is None and table_format(output) != ".parquet"):
            # Without a file, the rows may still go to standard output as CSV.
            csv_schema(self.recordings_schema())
        for field in self.extras:
            if field.name in (group_by, partition_by) and not is_flat(field.type):
                raise UsageError(f"cannot group by {field.name}: the column holds {field.type}")
            if field.name == self.postprocess.speaker and not is_flat(field.type):
                raise UsageError(f"--speaker {field.name}: the column holds {field.type}")


def turn_columns(settings: ModelSettings, *, is_given: bool) -> tuple[str, ...]:
    """Return the columns that tell of turns: given ones, those that are found, or channels.

    >>> turn_columns(ModelSettings(), is_given=True)
    ('start', 'end', 'speaker', 'channel', 'overlap')
    >>> turn_columns(ModelSettings(channel="each"), is_given=False)
    ('channel',)
    """
    wanted = set()
    if is_given:
        wanted = {"start", "end", "speaker", "channel", "overlap"}
    if settings.channel == EACH_CHANNEL:
        wanted |= {"channel"}
    if settings.turns is not None:
        wanted |= {"start", "end", "speech_share"}
    return tuple(name for name in TURNS if name in wanted)


def is_flat(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds plain values: no lists, structs or bytes."""
    import pyarrow as pa

    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not (pa.types.is_nested(kind) or binary)
