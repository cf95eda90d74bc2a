"""Read the schemas of a working folder again only when their files have changed."""

from __future__ import annotations

from pathlib import Path

import dlt
from dlt.common.storages.live_schema_storage import LiveSchemaStorage

_Mark = tuple[int, int, int]


class ReadSchemas(LiveSchemaStorage):
    """
    dlt's schema storage, which returns the schema in memory while its file is unchanged.

    dlt 1.31 reads, checks and copies the file each time that it needs the schema: ten times in a
    run without changes, a twentieth of its CPU time. dlt writes a new file beside the old one and
    renames it, so that changed content has a new inode.

    When dlt's class or the pipeline's attribute moves: leave this out; a run is slower.
    """

    def __getitem__(self, name: str) -> dlt.Schema:
        """The schema; one that was changed in memory and not written yet is not read again."""
        marks: dict[str, tuple[_Mark, dlt.Schema]] = self.__dict__.setdefault("_marks", {})
        mark = self._find_mark(name)
        known = marks.get(name)
        if (
            mark is not None
            and known is not None
            and known == (mark, self.live_schemas.get(name))
            and self.is_live_schema_committed(name)
        ):
            return known[1]
        schema = super().__getitem__(name)
        if mark is not None and self.is_live_schema_committed(name):
            marks[name] = mark, schema
        return schema

    def _find_mark(self, name: str) -> _Mark | None:
        """Identify the file's content; None if there is no file, or dlt imports another one."""
        if self.config.import_schema_path:
            return None
        try:
            path = self.storage.make_full_path(self._file_name_in_store(name, "json"))
            found = Path(path).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def read_schemas_once(pipeline: dlt.Pipeline) -> None:
    """Give *pipeline* a :class:`ReadSchemas` in place of dlt's own storage."""
    store = pipeline._schema_storage
    if type(store) is LiveSchemaStorage:
        store.__class__ = ReadSchemas
