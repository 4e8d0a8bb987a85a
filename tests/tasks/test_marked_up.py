"""HTML pages and PDF files as own documents; each fault is one line that names the file."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from harness.errors import DataError
from harness.tasks.custom_corpus import read_corpus
from harness.tasks.marked_up import read_html, read_pdf

PAGE = """<!doctype html><html><head><title> Leave
 rules </title><style>p {color: red}</style><script>var x = "not text";</script></head>
<body><nav>Home | About</nav><h1>Leave</h1>
<p>Everyone has <b>27</b> days.<br>Ask&nbsp;early: Müller &amp; Söhne.</p>
<ul><li>one</li><li>two</li></ul>
<table><tr><th>Year</th><td>2026</td></tr></table>
<footer>Imprint</footer></body></html>"""


def pdf(path: Path, *pages: str, title: str = "") -> Path:
    """Write a PDF with a page for each text; an empty one has nothing on it."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for text in pages:
        lines = " T* ".join(f"({line}) Tj" for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 14 TL 50 700 Td {lines} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /Contents {len(objects)} 0 R /MediaBox [0 0 612 792] "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append(f"<< /Title ({title}) >>")
    body, places = "%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(body))
        body += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    body += (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {size} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    )
    path.write_bytes(body.encode("latin-1"))
    return path


def test_a_page_is_its_text_without_code_and_navigation(tmp_path):
    path = tmp_path / "leave.html"
    path.write_text(PAGE, encoding="utf-8")
    read = read_html(path)
    assert read.title == "Leave rules"
    assert read.text.split("\n") == [
        "Leave",
        "Everyone has 27 days.",
        "Ask early: Müller & Söhne.",
        "one",
        "two",
        "Year 2026",
    ]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<h2>First</h2><h1>Second</h1><p>x</p>", "First"),
        ("<title> </title><p>x</p>", "name"),
        ("<p>x</p>", "name"),
    ],
)
def test_a_page_without_a_title_has_its_first_heading_or_the_files_name(tmp_path, page, title):
    path = tmp_path / "name.htm"
    path.write_text(page)
    assert read_html(path).title == title


def test_a_page_is_read_in_the_encoding_that_it_declares(tmp_path):
    path = tmp_path / "a.html"
    path.write_bytes('<meta charset="iso-8859-1"><p>Süd</p>'.encode("iso-8859-1"))
    assert read_html(path).text == "Süd"
    path.write_bytes("<p>Süd</p>".encode())
    assert read_html(path).text == "Süd"
    path.write_bytes(b'<meta charset="utf-8"><p>S\xfcd</p>')
    with pytest.raises(DataError, match=r"a\.html is not in the encoding that it declares, utf-8"):
        read_html(path)
    path.write_bytes(b"<p>S\xfcd</p>")
    with pytest.raises(DataError, match=r"a\.html is not UTF-8; save it as UTF-8"):
        read_html(path)


def test_a_page_without_text_is_one_line(tmp_path):
    path = tmp_path / "app.html"
    path.write_text("<title>App</title><script>run()</script>")
    with pytest.raises(DataError, match=r"app\.html holds no text \(is it made by a script"):
        read_html(path)


def test_a_pdf_is_its_pages_and_the_title_of_its_metadata(tmp_path):
    path = pdf(tmp_path / "rules.pdf", "Everyone has\n27 days.", "Trains only.", title="Rules 2026")
    read = read_pdf(path)
    assert (read.title, read.note) == ("Rules 2026", "")
    assert read.text == "Everyone has\n27 days.\n\nTrains only."
    assert read_pdf(pdf(tmp_path / "plain.pdf", "x")).title == "plain"


def test_pages_without_text_are_told_and_a_pdf_of_such_pages_refused(tmp_path):
    read = read_pdf(pdf(tmp_path / "half.pdf", "Text.", "", ""))
    assert (read.text, read.note) == ("Text.", "half.pdf: 2 of 3 pages hold no text")
    with pytest.raises(DataError, match=r"scan\.pdf holds no text in its 2 pages \(scanned"):
        read_pdf(pdf(tmp_path / "scan.pdf", "", ""))


def test_a_locked_or_damaged_pdf_is_one_line(tmp_path):
    whole = pdf(tmp_path / "whole.pdf", "Secret.")
    writer = PdfWriter(PdfReader(whole))
    writer.encrypt("word", algorithm="AES-256")
    locked = tmp_path / "locked.pdf"
    writer.write(locked)
    with pytest.raises(DataError, match=r"locked\.pdf is locked by a password"):
        read_pdf(locked)
    for name, data in (
        ("cut.pdf", whole.read_bytes()[:60]),
        ("none.pdf", b"hello"),
        ("no.pdf", b""),
    ):
        broken = tmp_path / name
        broken.write_bytes(data)
        with pytest.raises(DataError, match=f"{name} is no PDF, or a damaged one") as caught:
            read_pdf(broken)
        assert "\n" not in str(caught.value)


def test_a_pdf_that_opens_without_a_password_is_read(tmp_path):
    writer = PdfWriter(PdfReader(pdf(tmp_path / "whole.pdf", "Open.")))
    writer.encrypt(user_password="", owner_password="owner", algorithm="AES-256")
    path = tmp_path / "open.pdf"
    writer.write(path)
    assert read_pdf(path).text == "Open."


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("a.html", "bs4", "beautifulsoup4"), ("a.pdf", "pypdf", "pypdf")],
)
def test_a_missing_extra_says_how_to_install_it(tmp_path, monkeypatch, name, module, package):
    (tmp_path / name).write_text("x")
    real = builtins.__import__

    def without(wanted, *args, **kwargs):
        if wanted == module:
            raise ImportError(wanted)
        return real(wanted, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=f"needs {package}, which is not installed: pip install"):
        read_corpus(tmp_path)


def test_a_folder_mixes_kinds_of_documents(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "leave.HTML").write_text(PAGE, encoding="utf-8")
    pdf(tmp_path / "rules.pdf", "Trains only.", "")
    (tmp_path / "a.md").write_text("# A\n\nText.")
    documents, notes = read_corpus(tmp_path)
    assert [(one.id, one.title) for one in documents] == [
        ("a.md", "A"),
        ("rules.pdf", "rules"),
        ("sub/leave.HTML", "Leave rules"),
    ]
    assert notes == ["rules.pdf: 1 of 2 pages hold no text"]
