import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import archive
from ai_library_bot.readers.archive import Archive
from tests.readers import build
from tests.readers.files import book_in


def archive_at(path: Path) -> Archive:
    return Archive(path.read_bytes(), path)


def reason(path: Path) -> str:
    with pytest.raises(UnreadableBook) as caught:
        archive_at(path).check()
    assert str(path) in caught.value.say("ru")
    return caught.value.key


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", {"a.txt": "lamp", "folder/b.bin": b"\0\1"})
    opened = archive_at(path)
    assert opened.names == ("a.txt", "folder/b.bin")
    assert opened.read("a.txt") == b"lamp"
    assert opened.read("folder/b.bin") == b"\0\1"


def test_an_entry_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert archive_at(build.archive(tmp_path / "a.zip", {"a": "1"})).find("b") is None


@pytest.mark.parametrize(
    ("asked", "stored"),
    [("text/One.xhtml", "Text/one.XHTML"), ("\u0439.txt", "\u0438\u0306.txt"), ("a/b.txt", "a\\b.txt")],
)
def test_names_are_found_in_spite_of_capitals_unicode_forms_and_backslashes(
    asked: str, stored: str, tmp_path: Path
) -> None:
    opened = archive_at(build.archive(tmp_path / "a.zip", {stored: "here"}))
    found = opened.find(asked)
    assert found is not None
    assert opened.read(found) == b"here"


def test_the_exact_name_wins_over_other_capitals(tmp_path: Path) -> None:
    opened = archive_at(build.archive(tmp_path / "a.zip", {"A": "1", "a": "2"}))
    assert opened.find("a") == "a"
    assert opened.find("A") == "A"


@pytest.mark.parametrize("encoding", ["utf-8", "cp866"])
def test_russian_names_that_are_not_marked_as_utf8_are_read(encoding: str, tmp_path: Path) -> None:
    name = "Книга.fb2"
    stand_in = "x" * len(name.encode(encoding))
    path = build.archive(tmp_path / "a.zip", {stand_in: "text"})
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name.encode(encoding)))
    opened = archive_at(path)
    assert opened.names == (name,)
    assert opened.read(name) == b"text"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd", "C:\\evil"])
def test_names_that_lead_out_of_the_archive_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(zipfile.ZipInfo(name), "x")
    assert reason(path) == "archive_unsafe"


def test_a_password_is_named_as_such(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", {"a": "text"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    assert reason(path) == "archive_encrypted"


def test_a_bomb_is_refused_while_it_is_unpacked(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", {"a": bytes(archive.FREE_BYTES + 1)})
    assert reason(path) == "archive_too_large"


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", {"a": bytes(archive.FREE_BYTES + 1)})
    data = bytearray(path.read_bytes())
    for signature, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(signature) + size, 10)
    path.write_bytes(data)
    assert reason(path) in ("archive_broken", "archive_too_large")


@pytest.mark.parametrize("suffix", ["epub", "fb2.zip", "docx", "odt", "txt"])
def test_an_archive_for_a_newer_program_is_named_as_damaged(tmp_path: Path, suffix: str) -> None:
    path = build.archive(tmp_path / f"book.{suffix}", {"word/document.xml": "<a/>"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 6] = 114  # the version that is needed to unpack it
    path.write_bytes(data)
    with pytest.raises(UnreadableBook) as caught:
        book_in(path)
    assert caught.value.key == ("other_kind" if suffix == "txt" else "archive_broken")


def test_a_huge_entry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRY_BYTES", 1000)
    assert len(archive_at(build.archive(tmp_path / "a.zip", {"a": bytes(1000)})).read("a")) == 1000
    assert reason(build.archive(tmp_path / "b.zip", {"a": bytes(1001)})) == "archive_too_large"


def test_many_entries_share_one_budget(tmp_path: Path) -> None:
    opened = archive_at(build.archive(tmp_path / "a.zip", {"a": bytes(archive.FREE_BYTES // 2), "b": "1"}))
    for _ in range(2):
        opened.read("a")
    with pytest.raises(UnreadableBook, match="unpacks"):
        opened.read("b")


def test_a_small_file_that_repeats_itself_is_no_bomb(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", {"a": "again " * 1_000_000})
    assert len(archive_at(path).read("a")) == 6_000_000


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = build.archive(tmp_path / "a.zip", dict.fromkeys(map(str, range(archive.MAX_ENTRIES + 1)), ""))
    assert reason(path) == "archive_too_large"


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("a", "text")
        target.filelist.append(target.filelist[0])
    assert reason(path) == "archive_unsafe"


@given(data=st.binary(max_size=300))
def test_what_is_no_zip_file_is_called_damaged(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "no.zip"
    path.write_bytes(data)
    assert reason(path) == "archive_broken"


@given(data=st.data())
def test_a_damaged_archive_gives_its_content_or_a_reason(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = b"The lamp burned all night. " * 40
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a.txt", content)
    damaged = bytearray(buffer.getvalue())
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(damaged)
    try:
        opened = archive_at(path)
        read = [opened.read(name) for name in opened.names]
    except UnreadableBook:
        return
    assert read in ([], [content])
