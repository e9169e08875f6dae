"""Files from elsewhere, believed only once size and digest are the pinned ones. Knows no dataset."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ctr.errors import UserError

TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 16  # bytes
MAX_BYTES = 64 << 20  # of an original whose size nobody publishes
MAX_MEMBERS, MAX_UNPACKED, MAX_RATIO = (
    1000,
    256 << 20,
    100,
)  # of an archive: files, bytes, bytes unpacked for one packed


@dataclass(frozen=True)
class Original:
    """A file as its publisher serves it.

    `digest` is "sha256:<hex>"; or, where no sha256 is known, "git:<hex>": the file's blob id, which is the sha1 of
    "blob <size>\\0" and the content. `num_bytes` is None where only a blob id, which holds the size, is known.
    """

    url: str
    num_bytes: int | None
    digest: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]

    def refusal(self, path: Path) -> str:
        """What is wrong with the file at `path`: found and expected; nothing where it is the original."""
        found = path.stat().st_size
        if self.num_bytes not in (found, None):
            return f"it has {found:,} bytes, expected {self.num_bytes:,}"
        kind = self.digest.split(":")[0]
        start = f"blob {found}\0".encode() if kind == "git" else b""
        hasher = hashlib.sha1(start, usedforsecurity=False) if kind == "git" else hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                hasher.update(block)
        digest = f"{kind}:{hasher.hexdigest()}"
        return "" if digest == self.digest else f"it has {digest}, expected {self.digest}"


def fetch(original: Original, path: Path) -> None:
    """Makes `path` the original. A file there that is the original already is left alone.

    Raises UserError where it cannot be had, is another one, or cannot be written; then nothing new is at `path`.
    """
    if path.is_file() and not original.refusal(path):
        return
    ceiling = original.num_bytes or MAX_BYTES
    advice = f"If you can get the right file elsewhere, save it as {path} and repeat the command."
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with whole(path) as file, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(original.name, total=original.num_bytes)
        for block in _blocks(original.url, advice):
            if file.tell() + len(block) > ceiling:
                raise UserError(f"{original.url} sends more than the expected {ceiling:,} bytes. {advice}")
            file.write(block)
            progress.update(task, completed=file.tell())
        file.flush()
        if refusal := original.refusal(Path(file.name)):
            raise UserError(f"{original.url} is not the file that it was: {refusal}. {advice}")


def write_gzip(path: Path, text: str) -> None:
    """The text, packed; the same text gives the same bytes, for the header holds no name and no time."""
    with whole(path) as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(text.encode())


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write: under the name `path` once the block has ended well, else not at all."""
    part = path.with_name(f"{path.name}.part")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Makes the folder, and holds it: two commands do not write the same files at once."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / ".lock", blocking=False).acquire()
        except Timeout:
            raise UserError(f"another command is at work in {folder}; wait until it is done") from None
    with lock:
        yield


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} could not be written: {reason}. Make room there, or choose another folder") from error


def _blocks(url: str, advice: str) -> Iterator[bytes]:
    """What the server sends, in blocks; proxies as the environment says. An early end is the caller's to notice."""
    if not _is_safe(url):
        raise UserError(f"{url} is not fetched: only https is")
    request = Request(url, headers={"User-Agent": "ctr", "Accept-Encoding": "identity"})  # noqa: S310
    try:
        with build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as response:
            while block := response.read(BLOCK):
                yield block
    except HTTPError as error:
        raise UserError(f"{url} cannot be had: the server answers {error.code} {error.reason}. {advice}") from error
    except (OSError, HTTPException) as error:  # no network, no such name, a bad certificate, a timeout, a broken line
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise UserError(f"{url} could not be fetched: {reason}. Is there a network, a proxy? {advice}") from error


def _is_safe(url: str) -> bool:
    """https; or http on this very machine, for tests."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"))


class _SafeRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not _is_safe(newurl) or (req.type == "https" and urlsplit(newurl).scheme != "https"):
            raise UserError(f"{req.full_url} redirects to {newurl}, which is not fetched: only https is")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def unzip(archive: Path, names: Sequence[str]) -> dict[str, bytes]:
    """These members of a zip file, in memory: no name in the archive ever becomes a path.

    Raises UserError where one is missing, and for any archive with a link, a repeated name or one that leaves the
    folder, with too many members or too many bytes in these. The sizes are those declared; zipfile reads no further.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = {member.filename: member for member in file.infolist()}
            if len(file.infolist()) > MAX_MEMBERS or len(members) < len(file.infolist()):
                raise UserError(f"{archive} is not unpacked: more than {MAX_MEMBERS} members, or a name twice")
            for name, member in members.items():
                if re.match(r"/|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name) or not _is_plain(member):
                    raise UserError(f"{archive} is not unpacked: {name!r} leaves the folder or is no plain file")
            if missing := [name for name in names if name not in members]:
                raise UserError(f"{archive} holds no {', '.join(missing)}")
            num_bytes = sum(members[name].file_size for name in names)
            if num_bytes > min(MAX_UNPACKED, MAX_RATIO * archive.stat().st_size):
                raise UserError(f"{archive} is not unpacked: it would grow to {num_bytes:,} bytes")
            return {name: file.read(name) for name in names}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{archive} is damaged, or no zip file: {error}. Remove it and repeat the command") from error


def _is_plain(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind in (0, stat.S_IFREG, stat.S_IFDIR)  # 0: packed on a system without such modes
