"""What a server, a disk or an archive can do wrong ends in one UserError, and never in a file under the final name."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ctr.data import download
from ctr.data.download import Original, alone, fetch, unzip, write_gzip
from ctr.errors import UserError
from tests.conftest import ROOT

CONTENT = b"label,user\n1,a\n" * 10_000
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        targets = {"/moved": "/good", "/to-http": "http://example.com/good", "/to-file": "file:///etc/hostname"}
        if self.path in targets:
            self.send_response(302)
            self.send_header("Location", targets[self.path])
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(CONTENT)
            except OSError:
                return
        elif self.path in ("/good", "/half", "/early", "/other"):
            body = {"/half": CONTENT[: len(CONTENT) // 2], "/other": CONTENT[:-1] + b"x"}.get(self.path, CONTENT)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:1000] if self.path == "/early" else body)
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def original(server: ThreadingHTTPServer, path: str, num_bytes: int | None = len(CONTENT)) -> Original:
    return Original(f"http://127.0.0.1:{server.server_port}{path}", num_bytes, SHA256)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", ["/good", "/moved"])
def test_the_original_arrives_and_is_not_fetched_again(server, tmp_path, path):
    file = tmp_path / "new" / "file"
    fetch(original(server, path), file)
    assert file.read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]
    asked = list(server.asked)
    fetch(original(server, path), file)
    assert server.asked == asked


def test_a_file_that_is_not_the_original_is_fetched_again(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    (tmp_path / "file.part").write_bytes(b"of a killed run")
    fetch(original(server, "/good"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/half", "it has 75,000 bytes, expected 150,000"),
        ("/early", "it has 1,000 bytes, expected 150,000"),
        ("/endless", "sends more than the expected 150,000 bytes"),
        ("/other", f"expected {SHA256}"),
        ("/none", "the server answers 404"),
        ("/to-http", "redirects to http://example.com/good, which is not fetched: only https is"),
        ("/to-file", "302"),
    ],
)
def test_what_is_not_the_original_leaves_nothing(server, tmp_path, path, message):
    with pytest.raises(UserError, match=message):
        fetch(original(server, path), tmp_path / "file")
    assert names(tmp_path) == []


def test_without_a_known_size_there_is_a_ceiling(server, tmp_path, monkeypatch):
    fetch(original(server, "/good", None), tmp_path / "file")
    monkeypatch.setattr(download, "MAX_BYTES", len(CONTENT) - 1)
    with pytest.raises(UserError, match="more than the expected 149,999 bytes"):
        fetch(original(server, "/good", None), tmp_path / "other")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("url", ["http://example.com/file", "file:///etc/hostname", "ftp://example.com/file"])
def test_only_https_is_fetched(tmp_path, url):
    with pytest.raises(UserError, match="only https is"):
        fetch(Original(url, 1, SHA256), tmp_path / "file")
    assert names(tmp_path) == []


def test_https_never_steps_down_to_http():
    with pytest.raises(UserError, match="only https is"):
        download._SafeRedirects().redirect_request(
            download.Request("https://example.com/"), None, 302, "", {}, "http://localhost/"
        )


def test_no_server_and_a_slow_one_are_told(server, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"could not be fetched: .*Is there a network") as caught:
        fetch(Original("http://127.0.0.1:9/file", 1, SHA256), tmp_path / "file")
    assert f"save it as {tmp_path / 'file'}" in str(caught.value)
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    with silence() as port, pytest.raises(UserError, match="timed out"):
        fetch(Original(f"http://127.0.0.1:{port}/file", 1, SHA256), tmp_path / "file")


@contextmanager
def silence() -> Iterator[int]:
    """A server that takes the call and says nothing: its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_full_disk_leaves_nothing(server, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (lambda path: fetch(original(server, "/good"), path), lambda path: write_gzip(path, "text")):
        with pytest.raises(UserError, match=r"file could not be written: No space left on device\. Make room"):
            write(tmp_path / "file")
        assert names(tmp_path) == []


def test_a_kill_before_the_rename_leaves_no_file_of_that_name(server, tmp_path):
    program = f"""
import importlib.util, os, signal, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("download", {download.__file__!r})  # alone: ctr.data imports torch
sys.modules["download"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
module.fetch(module.{original(server, "/good")!r}, Path({str(tmp_path / "file")!r}))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == -9
    assert names(tmp_path) == ["file.part"]
    fetch(original(server, "/good"), tmp_path / "file")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("content", "blob"),  # as `git hash-object` has it
    [(b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), (b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a")],
)
def test_a_blob_id_is_git_s(tmp_path, content, blob):
    (tmp_path / "file").write_bytes(content)
    assert Original("", None, f"git:{blob}").refusal(tmp_path / "file") == ""
    (tmp_path / "file").write_bytes(content + b"x")
    assert f"expected git:{blob}" in Original("", None, f"git:{blob}").refusal(tmp_path / "file")


def test_packed_text_depends_on_the_text_alone(tmp_path):
    write_gzip(tmp_path / "a.gz", "é\n" * 100)
    write_gzip(tmp_path / "b.gz", "é\n" * 100)
    packed = (tmp_path / "a.gz").read_bytes()
    assert packed == (tmp_path / "b.gz").read_bytes()
    assert packed[3:8] == bytes(5)  # no flags, so no name; time 0
    assert gzip.decompress(packed).decode() == "é\n" * 100


def test_two_commands_do_not_write_one_folder(tmp_path):
    with alone(tmp_path / "folder"):
        second = alone(tmp_path / "folder")
        with pytest.raises(UserError, match="another command is at work"):
            second.__enter__()
    with alone(tmp_path / "folder"):
        pass


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def test_unzip_gives_the_named_members_and_touches_no_disk(tmp_path):
    path = archive(tmp_path / "a.zip", ("top/", b""), ("top/a", b"1"), ("top/b", b"2"), ("top/c", b"3"))
    assert unzip(path, ["top/b", "top/a"]) == {"top/a": b"1", "top/b": b"2"}
    assert names(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("name", ["../a", "top/../../a", "/a", "C:\\a", "..\\a"])
def test_an_archive_with_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    path = archive(tmp_path / "folder" / "a.zip", ("good", b"1"), (name, b"2"))
    for wanted in (["good"], [name]):
        with pytest.raises(UserError, match="leaves the folder"):
            unzip(path, wanted)
    assert names(tmp_path) == ["a.zip"]


def test_links_repeated_names_and_bombs_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no plain file"):
        unzip(archive(tmp_path / "link.zip", ("good", b"1"), (link("a"), b"/etc/hostname")), ["good"])
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(tmp_path / "twice.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(UserError, match="a name twice"):
        unzip(twice, ["a"])
    with pytest.raises(UserError, match="it would grow to 10,000,000 bytes"):  # a thousand to one
        unzip(archive(tmp_path / "bomb.zip", ("a", bytes(10_000_000))), ["a"])
    monkeypatch.setattr(download, "MAX_MEMBERS", 2)
    with pytest.raises(UserError, match="more than 2 members"):
        unzip(archive(tmp_path / "many.zip", ("a", b""), ("b", b""), ("c", b"")), ["a"])
    monkeypatch.setattr(download, "MAX_UNPACKED", 2)
    with pytest.raises(UserError, match="it would grow to 3 bytes"):
        unzip(archive(tmp_path / "large.zip", ("a", b"123")), ["a"])


def test_a_member_that_lies_about_its_size_is_not_read_past_it(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", bytes(10_000_000)))
    lied = path.read_bytes().replace((10_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(lied)
    with pytest.raises(UserError, match="damaged"):
        unzip(path, ["a"])


def test_a_damaged_archive_and_a_missing_member_are_told(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", b"1" * 1000))
    with pytest.raises(UserError, match="holds no b, c"):
        unzip(path, ["b", "a", "c"])
    (tmp_path / "no.zip").write_bytes(b"<html>")
    with pytest.raises(UserError, match="no zip file"):
        unzip(tmp_path / "no.zip", ["a"])
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1)[:-30])
    with pytest.raises(UserError, match="damaged"):
        unzip(path, ["a"])
