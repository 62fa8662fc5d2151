"""An archive is fetched whole or not at all, and what was begun is continued."""

import errno
import hashlib
import io
import json
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from typer.testing import CliRunner

from identity_edu import cli
from identity_edu.cli import fetch as cli_fetch
from identity_edu.data import cifar
from identity_edu.data.fetch import (
    ARCHIVES,
    CIFAR10,
    CIFAR100,
    Archive,
    FetchError,
    data_home,
    fetch,
    transfer,
    unpacking,
)
from identity_edu.data.fetch.archives import mirror_urls

NAME = "cifar-10-python.tar.gz"


def archive_of(content, folder="cifar-10-batches-py"):
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Archive("cifar10", NAME, folder, len(content), md5)


@pytest.fixture(scope="module")
def images():
    return cifar.generated_images(np.random.default_rng(2), "cifar10", 60, 12)


@pytest.fixture(scope="module")
def content(images, tmp_path_factory):
    """Return a small archive's bytes, in the official format: about 180 kB."""
    root = tmp_path_factory.mktemp("served")
    folder = cifar.write_cifar(root, images, "cifar10")
    return cifar.pack_cifar(folder, root / NAME).read_bytes()


@pytest.fixture
def archive(content):
    return archive_of(content)


class Server(ThreadingHTTPServer):
    """Serves one file, badly where told to, and remembers what was asked for.

    Each request takes the next of `script`, a dict; the last one stays: ``status``,
    ``cut`` (bytes after which the connection ends), ``ignores_range``, ``headers``,
    ``content``, ``pause`` (seconds between pieces).
    """

    def __init__(self, content, *script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.script = content, list(script) or [{}]
        self.ranges = []
        self.thread = threading.Thread(target=self.serve_forever, args=[0.01])
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/data"

    def handle_error(self, *_):
        """Say nothing of clients that hang up: some tests make them."""

    def next_step(self):
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        step = self.server.next_step()
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        content = step.get("content", self.server.content)
        start = int(asked[len("bytes=") : -1]) if asked else 0
        status = step.get("status", 206 if asked else 200)
        if step.get("ignores_range"):
            start, status = 0, 200
        elif asked and start >= len(content):
            status = 416
        headers = {"Content-Length": str(len(content) - start)}
        if status == 206:
            headers["Content-Range"] = (
                f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        self.send_response(status)
        for key, value in (headers | step.get("headers", {})).items():
            if value is not None and status in (200, 206):
                self.send_header(key, value)
        self.end_headers()
        if status in (200, 206) and self.path == f"/data/{NAME}":
            self.send_body(content[start : start + step.get("cut", len(content))], step)

    def send_body(self, body, step):
        for i in range(0, len(body), 16_384):
            self.wfile.write(body[i : i + 16_384])
            time.sleep(step.get("pause", 0.0))

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(content, monkeypatch):
    """Start servers that end with the test; no pause between tries, no proxy."""
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("IDENTITY_EDU_MIRRORS", raising=False)
    servers = []

    def start(*script, content=content):
        servers.append(Server(content, *script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def part_of(folder):
    return folder / f"{NAME}.part"


def message_of(call, *arguments, **options):
    with pytest.raises(FetchError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def assert_fetched(target, images):
    found = cifar.read_cifar(target, "cifar10")
    np.testing.assert_array_equal(found.x_train, images.x_train)
    np.testing.assert_array_equal(found.labels_test, images.labels_test)
    left = sorted(path.name for path in target.parent.iterdir())
    assert left == sorted([f".{NAME}.lock", NAME, target.name])


# The way it should go


def test_an_archive_is_downloaded_checked_and_unpacked(
    serve, archive, images, tmp_path
):
    server, seen = serve(), []
    folder = tmp_path / "new" / "folder"
    target = fetch(
        archive, folder, mirrors=[server.url], progress=lambda *s: seen.append(s)
    )
    assert target == folder / "cifar-10-batches-py"
    assert_fetched(target, images)
    assert server.ranges == [None]
    assert seen[0] == (0, archive.size)
    assert seen[-1] == (archive.size, archive.size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_there_is_not_fetched_again(serve, archive, images, tmp_path):
    server = serve()
    first = fetch(archive, tmp_path, mirrors=[server.url])
    again = fetch(archive, tmp_path, mirrors=[server.url])
    assert again == first
    assert server.ranges == [None]


def test_a_deleted_folder_is_unpacked_again_without_a_download(
    serve, archive, images, tmp_path
):
    server = serve()
    target = fetch(archive, tmp_path, mirrors=[server.url])
    for path in target.iterdir():
        path.unlink()
    target.rmdir()
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == [None]


def test_a_file_brought_by_other_means_needs_no_network(
    archive, content, images, tmp_path, closed_port
):
    file = tmp_path / "stick" / "renamed.tgz"
    file.parent.mkdir()
    file.write_bytes(content)
    folder = tmp_path / "data"
    target = fetch(archive, folder, mirrors=[closed_port], from_file=file)
    assert cifar.read_cifar(target, "cifar10").class_names == images.class_names
    assert file.read_bytes() == content
    assert not (folder / NAME).exists()


def test_the_mark_says_what_was_unpacked(archive, content, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(content)
    target = fetch(archive, tmp_path / "data", from_file=file)
    mark = json.loads((target / unpacking.MARK).read_text("utf-8"))
    assert (mark["schema"], mark["archive"], mark["md5"]) == (1, NAME, archive.md5)
    assert mark["version"]
    assert set(mark["files"]) == {p.name for p in target.iterdir()} - {unpacking.MARK}


# Connections that end early


def test_a_dropped_connection_is_continued_where_it_ended(
    serve, archive, images, tmp_path
):
    server = serve({"cut": 70_000}, {"cut": 30_000}, {})
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == [None, "bytes=70000-", "bytes=100000-"]


def test_an_interrupted_fetch_continues_the_next_time(
    serve, archive, content, tmp_path
):
    part_of(tmp_path).write_bytes(content[:12_345])
    server, seen = serve(), []
    fetch(archive, tmp_path, mirrors=[server.url], progress=lambda *s: seen.append(s))
    assert server.ranges == ["bytes=12345-"]
    assert seen[0] == (12_345, archive.size)


def test_a_server_that_ignores_range_starts_over(
    serve, archive, content, images, tmp_path
):
    part_of(tmp_path).write_bytes(b"other bytes" * 1000)
    server = serve({"ignores_range": True})
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == ["bytes=11000-"]


def test_patience_with_a_server_ends_and_what_came_is_kept(
    serve, archive, content, tmp_path
):
    # 100,000 bytes, then nothing new three times over.
    server = serve({"cut": 100_000}, {"cut": 0})
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert "the connection ended early" in message
    assert server.ranges == [None] + 4 * ["bytes=100000-"]
    assert part_of(tmp_path).read_bytes() == content[:100_000]


def test_a_server_that_always_starts_over_and_drops_is_given_up(
    serve, archive, content, tmp_path
):
    server = serve({"cut": 90_000, "ignores_range": True})
    message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert server.ranges == [None] + 4 * ["bytes=90000-"]


def test_a_slow_server_that_keeps_dropping_is_followed_to_the_end(
    serve, content, tmp_path, monkeypatch
):
    monkeypatch.setattr(transfer, "CHUNK", 1000)
    server = serve({"cut": 9000})
    fetch(archive_of(content), tmp_path, mirrors=[server.url])
    assert len(server.ranges) == -(-len(content) // 9000)


def test_the_next_mirror_continues_what_the_first_began(
    serve, archive, images, tmp_path
):
    first, second = serve({"cut": 50_000}, {"cut": 0}), serve()
    target = fetch(archive, tmp_path, mirrors=[first.url, second.url])
    assert_fetched(target, images)
    assert second.ranges == ["bytes=50000-"]


def test_a_server_without_content_length_is_followed(serve, archive, images, tmp_path):
    server = serve({"headers": {"Content-Length": None}})
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)


def test_a_complete_part_is_checked_and_not_asked_for(
    archive, content, images, tmp_path, closed_port
):
    part_of(tmp_path).write_bytes(content)
    assert_fetched(fetch(archive, tmp_path, mirrors=[closed_port]), images)


def test_a_part_longer_than_the_archive_starts_over(
    serve, archive, content, images, tmp_path
):
    part_of(tmp_path).write_bytes(content + b"more")
    server = serve()
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == [None]


def test_a_silent_server_is_left_after_the_timeout(
    serve, archive, content, tmp_path, monkeypatch
):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.05)
    monkeypatch.setattr(transfer, "PAUSES", ())
    server = serve({"pause": 0.2})
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert "timed out" in message
    kept = part_of(tmp_path).read_bytes()
    assert kept
    assert content.startswith(kept)


# Other files, and servers that have none


def test_a_wrong_checksum_is_refused_and_the_file_kept_aside(serve, archive, tmp_path):
    wrong = bytes(archive.size)
    server = serve(content=wrong)
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    bad = tmp_path / f"{NAME}.bad"
    digest = hashlib.md5(wrong, usedforsecurity=False).hexdigest()
    assert f"its MD5 is {digest} instead of {archive.md5}; kept as {bad}" in message
    assert bad.read_bytes() == wrong
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{NAME}.lock", bad.name]
    assert server.ranges == [None]


def test_after_a_wrong_checksum_the_next_mirror_is_asked_for_all(
    serve, archive, images, tmp_path
):
    wrong, right = serve(content=bytes(archive.size)), serve()
    target = fetch(archive, tmp_path, mirrors=[wrong.url, right.url])
    (tmp_path / f"{NAME}.bad").unlink()
    assert_fetched(target, images)
    assert right.ranges == [None]


def test_a_good_mirror_is_not_blamed_for_anothers_first_bytes(
    serve, archive, images, tmp_path
):
    part_of(tmp_path).write_bytes(bytes(1000))
    server = serve()
    target = fetch(archive, tmp_path, mirrors=[server.url])
    (tmp_path / f"{NAME}.bad").unlink()
    assert_fetched(target, images)
    assert server.ranges == ["bytes=1000-", None]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_mirror_without_the_file_is_followed_by_the_next(
    serve, archive, images, tmp_path, status
):
    first, second = serve({"status": status}), serve()
    target = fetch(archive, tmp_path, mirrors=[first.url, second.url])
    assert_fetched(target, images)
    assert len(first.ranges) == (1 if status < 500 else 4)  # congestion may pass


def test_a_page_in_place_of_the_file_is_refused_before_it_is_read(
    serve, archive, content, tmp_path
):
    part_of(tmp_path).write_bytes(content[:500])
    page = b"<html>Please log in to this network.</html>"
    server = serve({"ignores_range": True}, content=page)
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert f"its file has {len(page)} bytes instead of {archive.size}" in message
    assert part_of(tmp_path).read_bytes() == content[:500]


def test_a_shorter_file_of_the_server_is_refused_and_ours_is_kept(
    serve, archive, content, tmp_path
):
    part_of(tmp_path).write_bytes(content[:50_000])
    server = serve(content=content[:40_000])
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert server.ranges == ["bytes=50000-", None]  # 416, then all
    assert f"its file has 40000 bytes instead of {archive.size}" in message
    assert part_of(tmp_path).read_bytes() == content[:50_000]


@pytest.mark.parametrize("given", ["bytes 7-9/10", "nonsense", None])
def test_a_range_that_was_not_asked_for_is_refused(
    serve, archive, content, tmp_path, given
):
    part_of(tmp_path).write_bytes(content[:500])
    server = serve({"headers": {"Content-Range": given}})
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert f"asked for bytes from 500, it answers {given or ''!r}" in message
    assert part_of(tmp_path).read_bytes() == content[:500]


def test_a_server_that_sends_too_much_is_cut_off(serve, archive, images, tmp_path):
    content = serve().content
    server = serve(
        {"headers": {"Content-Length": None}, "content": content + bytes(99_999)}
    )
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)


def test_a_server_that_is_absent_is_told_in_one_line(archive, tmp_path, serve):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ports = probe.getsockname()[1]
    mirrors = [f"http://127.0.0.1:{ports}/a/", f"http://127.0.0.1:{ports}/b"]
    message = message_of(fetch, archive, tmp_path, mirrors=mirrors)
    assert "\n" not in message
    for url in mirrors:
        assert f"{url.rstrip('/')}/{NAME}: Connection refused" in message
    assert "--mirror URL" in message
    assert f"identity-edu fetch cifar10 --from-file {NAME}" in message


def test_a_name_that_no_one_knows_is_told(archive, tmp_path, serve, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    message = message_of(fetch, archive, tmp_path, mirrors=["http://mirror.invalid"])
    assert (
        "http://mirror.invalid/cifar-10-python.tar.gz: Name or service not" in message
    )


def test_something_that_is_no_web_server_is_told(archive, tmp_path, serve):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def talk():
            for _ in range(4):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        message = message_of(fetch, archive, tmp_path, mirrors=[url])
        thread.join()
    assert "220 mail ready" in message


# Mirrors and folders


def test_mirrors_come_from_the_call_then_the_environment_then_the_archive(monkeypatch):
    monkeypatch.delenv("IDENTITY_EDU_MIRRORS", raising=False)
    urls = mirror_urls(CIFAR10)
    assert urls == ["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"]
    monkeypatch.setenv("IDENTITY_EDU_MIRRORS", "http://a.org/x, https://b.org/ \n")
    assert mirror_urls(CIFAR100) == [
        "http://a.org/x/cifar-100-python.tar.gz",
        "https://b.org/cifar-100-python.tar.gz",
    ]
    assert mirror_urls(CIFAR10, ["http://c.org"]) == [
        "http://c.org/cifar-10-python.tar.gz"
    ]


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://a.org", "a.org", "http://"])
def test_a_mirror_that_is_no_web_address_is_refused(archive, tmp_path, mirror):
    with pytest.raises(ValueError, match="a mirror must be an http"):
        fetch(archive, tmp_path, mirrors=[mirror])


def test_data_lie_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("IDENTITY_EDU_DATA", str(tmp_path / "here"))
    assert data_home() == tmp_path / "here"
    monkeypatch.delenv("IDENTITY_EDU_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_home() == tmp_path / "cache" / "identity_edu"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_home() == tmp_path / ".cache" / "identity_edu"


def test_without_a_folder_the_data_home_is_used(
    monkeypatch, archive, content, tmp_path
):
    monkeypatch.setenv("IDENTITY_EDU_DATA", str(tmp_path / "home"))
    file = tmp_path / "file"
    file.write_bytes(content)
    assert fetch(archive, from_file=file).parent == tmp_path / "home"


def test_the_official_archives_are_the_published_ones():
    assert set(ARCHIVES) == {"cifar10", "cifar100"} == set(cifar.FORMATS)
    for name, known in ARCHIVES.items():
        assert known.folder == cifar.FORMATS[name].folder
        assert known.name == name
    assert (CIFAR10.size, CIFAR10.md5) == (
        170498071,
        "c58f30108f718f92721af3b95e74349a",
    )


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda raw: raw[:-1], "bytes instead of"),
        (lambda raw: raw[:-1] + b"x", "its MD5 is"),
        (None, "there is no such file"),
    ],
)
def test_a_given_file_that_is_not_the_archive_is_refused_and_left_alone(
    archive, content, tmp_path, damage, problem
):
    file = tmp_path / "given.tar.gz"
    if damage:
        file.write_bytes(damage(content))
    message = message_of(fetch, archive, tmp_path / "data", from_file=file)
    assert f"{file} is not {NAME}: " in message
    assert problem in message
    assert file.exists() == bool(damage)
    assert not (tmp_path / "data" / archive.folder).exists()


def test_a_damaged_archive_from_before_is_set_aside_and_fetched_again(
    serve, archive, content, images, tmp_path
):
    (tmp_path / NAME).write_bytes(content[:-1])
    target = fetch(archive, tmp_path, mirrors=[serve().url])
    bad = tmp_path / f"{NAME}.bad"
    assert bad.read_bytes() == content[:-1]
    bad.unlink()
    assert_fetched(target, images)


def test_a_folder_of_somebody_else_is_not_touched(serve, archive, tmp_path):
    folder = tmp_path / archive.folder
    folder.mkdir()
    (folder / "batches.meta").write_bytes(b"mine")
    message = message_of(fetch, archive, tmp_path, mirrors=[serve().url])
    assert f"{folder} is there already, and not from this archive" in message
    assert [p.name for p in folder.iterdir()] == ["batches.meta"]


def test_a_folder_that_was_damaged_is_named_with_its_files(serve, archive, tmp_path):
    server = serve()
    target = fetch(archive, tmp_path, mirrors=[server.url])
    (target / "data_batch_1").write_bytes(b"short")
    (target / "test_batch").unlink()
    message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert "has lost or damaged data_batch_1, test_batch: delete the folder" in message


def test_a_folder_from_another_archive_is_refused(serve, archive, tmp_path):
    fetch(archive, tmp_path, mirrors=[serve().url])
    other = replace(archive, md5="0" * 32)
    assert "not from this archive" in message_of(fetch, other, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(archive, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    message = message_of(fetch, archive, tmp_path / "file" / "data")
    assert f"{tmp_path / 'file' / 'data'} cannot be written: Not a directory" in message


def test_two_fetches_do_not_write_one_file(serve, archive, images, tmp_path):
    with unpacking.only_one(tmp_path, archive):
        message = message_of(fetch, archive, tmp_path, mirrors=[serve().url])
    assert f"another process is fetching cifar10 to {tmp_path}" in message
    assert_fetched(fetch(archive, tmp_path, mirrors=[serve().url]), images)


# A full disk


class FullDisk:
    """A file on a disk that takes `room` more bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, chunk):
        fits = chunk[: self.room]
        self.room -= self.file.write(fits)
        if len(fits) < len(chunk):
            self.file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_and_the_download_continues_later(
    serve, archive, content, images, tmp_path, monkeypatch
):
    server = serve()

    def small(path, mode):
        return FullDisk(open(path, mode), 100_000)

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "open", small, raising=False)
        message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert f"the disk is full: 100000 of {archive.size} bytes are kept" in message
    assert str(part_of(tmp_path)) in message
    assert f"Free {archive.size - 100_000} bytes" in message
    assert part_of(tmp_path).read_bytes() == content[:100_000]
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == [None, "bytes=100000-"]


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(
    serve, archive, content, tmp_path
):
    resource = pytest.importorskip("resource", reason="not a POSIX system")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        message = message_of(fetch, archive, tmp_path, mirrors=[serve().url])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert f"the disk is full: 100000 of {archive.size} bytes are kept" in message
    assert part_of(tmp_path).read_bytes() == content[:100_000]


def test_another_fault_of_the_disk_is_told(serve, archive, tmp_path):
    part_of(tmp_path).mkdir()
    message = message_of(fetch, archive, tmp_path, mirrors=[serve().url])
    assert f"{part_of(tmp_path)} cannot be written" in message


def test_a_disk_that_is_full_while_unpacking_leaves_no_folder(
    serve, archive, images, tmp_path, monkeypatch
):
    server = serve()

    def fail(source, target, *_):
        target.write(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "copyfileobj", fail)
        message = message_of(fetch, archive, tmp_path, mirrors=[server.url])
    assert "cannot be unpacked" in message
    assert "No space left on device. The archive is kept" in message
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{NAME}.lock", NAME]
    assert_fetched(fetch(archive, tmp_path, mirrors=[server.url]), images)
    assert server.ranges == [None]


# Archives that are not what they should be


def packed(*members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../../canary"
            member.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"evil"))
    return file.getvalue()


FILE, LINK, HARD, FIFO, DEVICE = (
    tarfile.REGTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("../canary", FILE, "would be extracted to .*, which is outside"),
        ("data/../../../canary", FILE, "which is outside"),
        ("/canary", FILE, "it must hold data alone, not canary, data"),
        ("canary", FILE, "it must hold data alone, not canary, data"),
        ("data/link", LINK, "data/link is neither a file nor a folder"),
        ("data/link", HARD, "data/link is neither a file nor a folder"),
        ("data/pipe", FIFO, "data/pipe is neither a file nor a folder"),
        ("data/device", DEVICE, "data/device is neither a file nor a folder"),
    ],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path, name, kind, message):
    content = packed(("data/good", FILE), (name, kind))
    file, folder = tmp_path / "file", tmp_path / "one" / "two"
    file.write_bytes(content)
    with pytest.raises(FetchError, match=f"file is damaged or unsafe: .*{message}"):
        fetch(archive_of(content, "data"), folder, from_file=file)
    assert not list(tmp_path.rglob("canary"))
    assert [p.name for p in folder.iterdir()] == [f".{NAME}.lock"]


DAMAGED = {
    "no archive": lambda raw: b"<html>" * 1000,
    "nothing": lambda raw: b"",
    "truncated": lambda raw: raw[: len(raw) // 2],
    "without its end": lambda raw: raw[:-8],
    "damaged within": lambda raw: raw[:5000] + bytes(100) + raw[5100:],
    "another checksum within": lambda raw: raw[:-8] + b"\0\0\0\0" + raw[-4:],
    "empty": lambda raw: packed(),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_archive_leaves_no_folder(tmp_path, content, damage):
    """Only an archive published with these faults could get as far as this."""
    damaged = DAMAGED[damage](content)
    file, folder = tmp_path / "file", tmp_path / "data"
    file.write_bytes(damaged)
    with pytest.raises(FetchError, match="file is damaged or unsafe: "):
        fetch(archive_of(damaged), folder, from_file=file)
    assert [p.name for p in folder.iterdir()] == [f".{NAME}.lock"]


def test_an_old_python_without_safe_unpacking_is_refused(
    archive, content, tmp_path, monkeypatch
):
    file = tmp_path / "file"
    file.write_bytes(content)
    monkeypatch.delattr(tarfile, "data_filter")
    message = message_of(fetch, archive, tmp_path / "data", from_file=file)
    assert "needs Python 3.11.4 or later" in message


def test_what_a_killed_process_left_is_cleared_away(serve, archive, images, tmp_path):
    litter = tmp_path / f".unpacking-{archive.folder}" / archive.folder
    litter.mkdir(parents=True)
    (litter / "data_batch_1").write_bytes(b"half")
    assert_fetched(fetch(archive, tmp_path, mirrors=[serve().url]), images)


def test_a_fetch_that_is_killed_continues(serve, archive, content, images, tmp_path):
    server = serve({"pause": 0.2}, {})
    code = (
        "import sys; from identity_edu.data.fetch import Archive, fetch\n"
        f"fetch({archive!r}, sys.argv[1], mirrors=[sys.argv[2]])"
    )
    folder = tmp_path / "data"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), server.url])
    while not (part_of(folder).exists() and part_of(folder).stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = part_of(folder).stat().st_size
    assert 0 < kept < archive.size
    assert_fetched(fetch(archive, folder, mirrors=[server.url]), images)
    assert server.ranges == [None, f"bytes={kept}-"]


# The command


@pytest.fixture
def small_archive(monkeypatch, archive):
    monkeypatch.setitem(ARCHIVES, "cifar10", archive)


def run(*arguments):
    return CliRunner().invoke(cli.app, ["fetch", *map(str, arguments)])


@pytest.mark.usefixtures("small_archive")
def test_the_command_fetches_and_says_where(serve, images, tmp_path):
    server = serve({"cut": 70_000}, {})
    result = run("cifar10", "--folder", tmp_path, "--mirror", server.url)
    assert result.exit_code == 0, result.output
    target = tmp_path / "cifar-10-batches-py"
    assert result.stdout == f"cifar10 is in {target}\n"
    assert_fetched(target, images)
    lines = result.stderr.splitlines()
    assert lines[0] == "cifar10: 0.0 of 0.2 MB"
    assert 5 <= len(lines) <= 12  # a line for each tenth at most


@pytest.mark.usefixtures("small_archive")
def test_the_command_tries_every_mirror_and_fails_in_one_line(serve, tmp_path):
    mirrors = [serve({"status": 404}).url, serve({"status": 403}).url]
    options = [word for url in mirrors for word in ("--mirror", url)]
    result = run("cifar10", "--folder", tmp_path, *options)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith(f"cifar10 is not fetched: no mirror gives {NAME} (")
    assert f"{mirrors[0]}/{NAME}: HTTP 404 Not Found; {mirrors[1]}" in line
    assert "HTTP 403 Forbidden" in line


@pytest.mark.usefixtures("small_archive")
def test_the_command_takes_a_file(content, tmp_path, monkeypatch):
    monkeypatch.setenv("IDENTITY_EDU_DATA", str(tmp_path / "home"))
    file = tmp_path / "file"
    file.write_bytes(content)
    result = run("cifar10", "--from-file", file)
    assert result.exit_code == 0
    assert (
        result.output == f"cifar10 is in {tmp_path / 'home' / 'cifar-10-batches-py'}\n"
    )
    file.write_bytes(b"wrong")
    result = run("cifar10", "--folder", tmp_path / "other", "--from-file", file)
    assert result.exit_code == 1
    assert "it has 5 bytes instead of" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mnist"], 2, "NAME must be one of cifar10, cifar100; got 'mnist'."),
        (
            ["cifar10", "--mirror", "ftp://a.org"],
            1,
            "a mirror must be an http(s) addre",
        ),
    ],
)
def test_the_command_refuses(tmp_path, arguments, code, says):
    result = run(*arguments, "--folder", tmp_path)
    assert result.exit_code == code
    assert says in result.output


def test_ctrl_c_says_how_to_continue(monkeypatch, tmp_path):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("identity_edu.data.fetch.fetch", stop)
    result = run("cifar10", "--folder", tmp_path)
    assert result.exit_code == 130
    assert "Stopped; what arrived is kept. The same command continues." in result.output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_that_starts_where_the_file_does(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with cli_fetch._progress("cifar10") as show:
        show(500_000, 1_000_000)
        show(1_000_000, 1_000_000)
    shown = terminal.getvalue()
    assert "cifar10:  50%" in shown
    assert "cifar10: 100%" in shown
    assert "1.00M/1.00M" in shown


def test_a_terminal_shows_no_bar_when_nothing_is_downloaded(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with cli_fetch._progress("cifar10"):
        pass
    assert terminal.getvalue() == ""
