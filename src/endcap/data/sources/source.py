"""What lies at a path, looked at just enough to recognise its format: file names and the first lines."""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from endcap.data.errors import InputError
from endcap.data.sources.log import AS_IT_IS, Log

HEAD = 1 << 20
DELIMITERS = ",\t;|"
_SEP = re.compile(r'"?sep=(.)"?[ \t]*\n', re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A file, or a folder with its files by name; `files` is never empty."""

    path: Path
    files: tuple[Path, ...]
    log: Log = AS_IT_IS  # what is said of it

    @cached_property
    def names(self) -> dict[str, Path]:
        """File name -> path."""
        return {file.name: file for file in self.files}

    @cached_property
    def head(self) -> str:
        """The first MiB of the first file as text, without a cut last line; empty for Parquet."""
        return "" if self.is_parquet else head(self.files[0])

    @cached_property
    def is_parquet(self) -> bool:
        """Whether the first file begins like Parquet, or claims to be one."""
        return self.files[0].suffix == ".parquet" or _first_bytes(self.files[0]) == b"PAR1"

    @cached_property
    def preamble(self) -> int:
        """How many lines come before the header: `sep=;`, by which spreadsheets know the delimiter."""
        return 0 if self.is_parquet or not _SEP.match(self.head) else 1

    @cached_property
    def delimiter(self) -> str:
        """The one that a `sep=` line names, or the one that cuts the first line into most fields."""
        if self.preamble and (named := _SEP.match(self.head)):
            return named[1]
        return max(DELIMITERS, key=lambda delimiter: len(fields(self.head, delimiter)))

    @cached_property
    def header(self) -> list[str]:
        """The names that are given, or the first record's fields; empty for Parquet and JSON."""
        if self.is_parquet or self.is_json:
            return []
        if self.log.header:
            return [*self.log.header]
        return fields(self.head.split("\n", self.preamble)[-1], self.delimiter)

    @cached_property
    def is_json(self) -> bool:
        """Whether the text begins like JSON."""
        return self.head.lstrip()[:1] in ("{", "[")

    @cached_property
    def keys(self) -> list[str]:
        """The keys of the JSON objects in the head, in the order they are first seen."""
        return list(dict.fromkeys(key for record in self.records for key in record))

    @cached_property
    def records(self) -> list[dict[str, object]]:
        """The JSON objects in the head; lines that are none are left out."""
        return [record for line in self.head.split("\n") if isinstance(record := _json(line), dict)]


def find(path: Path, log: Log = AS_IT_IS) -> Source:
    """The source at a path, and what is said of it; raises InputError where there is nothing to read."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give the path of a file or folder with events")
    files = tuple(_parts(path)) if path.is_dir() else (path,)
    if not files:
        raise InputError(f"the folder {path} holds no files; give a file with events or a folder of a known format")
    if not path.is_dir() and not path.stat().st_size:
        raise InputError(f"{path} is empty; expected events, one record a line")
    return Source(path, files, log)


def head(file: Path) -> str:
    """The first MiB as text; raises InputError where it is no UTF-8 text or its gz is broken."""
    data = _first_bytes(file, HEAD)
    if not data.strip():
        raise InputError(f"{file} is empty; expected events, one record a line")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{file} is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    if data.startswith(b"PK\x03\x04"):
        if file.suffix.lower() in (".xlsx", ".xlsm", ".ods") or b"xl/workbook" in data:
            raise InputError(f"{file} is a workbook of a spreadsheet (Excel); save it as CSV UTF-8")
        raise InputError(f"{file} is a ZIP archive; unpack it first")
    if b"\0" in data[:4096]:
        raise InputError(f"{file} is not text (it holds NUL bytes); expected CSV, JSON Lines, Parquet or .gz of text")
    text = data.removeprefix(codecs.BOM_UTF8)
    first = text.lstrip().splitlines()[0]
    try:
        first.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{first[error.start]:02x} in its first line"
        raise InputError(f"{file} is not UTF-8 ({found}); convert it, for example: iconv -f GB18030 -t UTF-8") from None
    whole = text if len(data) < HEAD else text[: text.rfind(b"\n") + 1] or text
    return whole.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def fields(text: str, delimiter: str) -> list[str]:
    """The fields of the first record of a delimited text."""
    try:
        return next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
    except csv.Error:  # a field longer than the csv module takes: not a header
        return []


def is_gzip(file: Path) -> bool:
    """Whether a file is gzip by its first bytes, whatever its name."""
    with file.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _first_bytes(file: Path, size: int = 4) -> bytes:
    try:
        with gzip.open(file) if is_gzip(file) else file.open("rb") as stream:
            return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(
            f"{file} is a broken or cut-off gz file; copy it again (gzip -t tells whether it is whole)"
        ) from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _parts(folder: Path) -> list[Path]:
    """The files of a folder; where it has none of its own, those of the folders in it that are named `key=value`."""
    own = sorted(file for file in folder.iterdir() if _is_data(file))
    if own:
        return own
    inner = sorted(each for each in folder.iterdir() if each.is_dir() and "=" in each.name)
    return [file for each in inner for file in _parts(each)]


def _is_data(file: Path) -> bool:
    return file.is_file() and not file.name.startswith((".", "_")) and file.stat().st_size > 0


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
