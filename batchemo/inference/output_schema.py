"""The columns of a run's tables: the model's, the manifest's, and those of an earlier table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.errors import UsageError
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings
from batchemo.tables.columns import reserved_columns
from batchemo.tables.schema import chunk_schema, recordings_schema, segments_schema
from batchemo.tables.write import csv_schema, table_format, with_provenance

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """What is known of the tables before their rows are."""

    labels: tuple[str, ...]
    manifest: pa.Table | None
    segments: bool
    provenance: dict[str, Any]
    """How the run was made, for the metadata."""
    kept: pa.Schema | None = None
    """Columns that only the earlier table has."""
    models: tuple[str, ...] = ()
    """The names of several models; a single one has no columns of its own."""
    postprocess: PostprocessSettings = NO_POSTPROCESSING

    @property
    def reserved(self) -> frozenset[str]:
        """The names of our own columns."""
        return reserved_columns(self.labels, self.models, self.postprocess.optional)

    @property
    def extras(self) -> list[pa.Field]:
        """The columns after our own."""
        manifest = [] if self.manifest is None else list(self.manifest.schema)
        return manifest + ([] if self.kept is None else list(self.kept))

    def part(self) -> pa.Schema:
        """Give the schema of a part."""
        return chunk_schema(self.labels, segments=self.segments, models=self.models)

    def raw(self) -> pa.Schema:
        """Give the schema of the rows of parts with the columns after our own."""
        import pyarrow as pa

        return pa.schema([*self.part(), *self.extras])

    def files(self) -> pa.Schema:
        """Give the files table's schema."""
        import pyarrow as pa

        extras, optional = pa.schema(self.extras), self.postprocess.optional
        schema = recordings_schema(self.labels, extras, models=self.models, optional=optional)
        return with_provenance(schema, self.provenance)

    def windows(self) -> pa.Schema:
        """Give the segments table's schema."""
        dimensions = self.postprocess.dimensions
        schema = segments_schema(self.labels, several_models=bool(self.models), dimensions=dimensions)
        return with_provenance(schema, self.provenance)

    def whole(self) -> pa.Schema:
        """Give the schema of a files table whose rows still carry their windows."""
        schema = self.files()
        return schema.append(self.part().field("segments")) if self.segments else schema

    def check(self, group_by: str | None, output: Path | None) -> None:
        """Refuse what the tables could not hold in the end, before any work is done."""
        if output is None or table_format(output) == ".csv":
            csv_schema(self.files())
        for field in self.extras:
            if field.name == group_by and not is_flat(field.type):
                raise UsageError(f"cannot group by {group_by}: the column holds {field.type}")
            if field.name == self.postprocess.speaker and not is_flat(field.type):
                raise UsageError(f"--speaker {field.name}: the column holds {field.type}")


def is_flat(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds plain values: no lists, structs or bytes."""
    import pyarrow as pa

    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not (pa.types.is_nested(kind) or binary)
