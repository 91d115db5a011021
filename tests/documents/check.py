"""Makes documents with other people's software, and checks what became of them: see README.md.

check.py make FOLDER    writes documents into the folder
check.py check FOLDER   reads those in its folders `capitals`, `bilingual`, `commented` and `front` beside them
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import docx
import feedparser
import openpyxl
import polib
import pptx
import pysubs2
import webvtt
from ebooklib import ITEM_DOCUMENT, epub

SENTENCES = [
    "De brug over het kanaal is dicht.",
    "Het regent & waait <hard> vandaag.",
    "De wethouder zegt dat het morgen beter wordt.",
]
SOFFICE = shutil.which("soffice")
PANDOC = shutil.which("pandoc")
EPUBCHECK = shutil.which("epubcheck")


def make_docx(path):
    document = docx.Document()
    document.core_properties.title = "Het bericht van vandaag"
    document.add_heading(SENTENCES[0], 1)
    paragraph = document.add_paragraph("Dit is ")
    paragraph.add_run("heel belangrijk").bold = True
    paragraph.add_run(" nieuws, zegt ")
    paragraph.add_run("men").italic = True
    paragraph.add_run(".")
    for sentence in SENTENCES:
        document.add_paragraph(sentence, style="List Bullet")
    cells = document.add_table(2, 2).rows[0].cells
    cells[0].text, cells[1].text = SENTENCES[0], "Naam:\tJan\nPlaats: Wierdum"
    document.sections[0].header.paragraphs[0].text = "De krant van vandaag"
    document.add_comment(paragraph.runs[0], text="Klopt dit wel?", author="Jan", initials="J")
    document.save(path)


def make_pptx(path):
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = SENTENCES[0]
    slide.placeholders[1].text = "\n".join(SENTENCES)
    slide.notes_slide.notes_text_frame.text = "Vertel dit rustig."
    deck.save(path)


def make_xlsx(path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Naam", "Bericht", "Aantal"])
    for number, sentence in enumerate(SENTENCES):
        sheet.append(["Jan", sentence, number])
    sheet["D1"] = "=B2&\" en meer dan dat\""
    sheet["B2"].comment = openpyxl.comments.Comment("Klopt dit wel?", "Jan")
    book.save(path)


def make_epub(path):
    book = epub.EpubBook()
    book.set_identifier("brug")
    book.set_title("De reis naar de brug")
    book.set_language("nl")
    chapters = []
    for number, sentence in enumerate(SENTENCES):
        chapter = epub.EpubHtml(title=f"Hoofdstuk over {number}", file_name=f"{number}.xhtml", lang="nl")
        text = sentence.replace("&", "&amp;").replace("<", "&lt;")
        chapter.content = f"<h1>Hoofdstuk over {number}</h1><p id='p{number}'>{text} <b>Echt</b> waar.</p>"
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc = chapters
    book.spine = ["nav", *chapters]
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    epub.write_epub(path, book)


def make_rss(path):
    items = "".join(
        f"<item><title><![CDATA[{sentence}]]></title><guid>brug-{number}</guid><link>https://voorbeeld.nl/{number}</link>"
        f"<description>&lt;p&gt;Lees &lt;b&gt;meer&lt;/b&gt; over {number}.&lt;/p&gt;</description></item>"
        for number, sentence in enumerate(SENTENCES)
    )
    head = "<title>Nieuws uit het dorp</title><link>https://voorbeeld.nl</link><language>nl</language>"
    path.write_text(f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>', "utf-8")


def make_po(path):
    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=utf-8", "Language": "en"}
    for sentence in SENTENCES:
        catalogue.append(polib.POEntry(msgid=f'{sentence}\n"Echt."\n', occurrences=[("brug.py", 1)]))
    catalogue.append(polib.POEntry(msgid="%d brug", msgid_plural="%d bruggen", msgstr_plural={0: "", 1: ""}))
    catalogue.append(polib.POEntry(msgid="klaar", msgstr="done"))
    catalogue.save(str(path))


def make_vtt(path):
    subtitles = webvtt.WebVTT()
    for number, sentence in enumerate(SENTENCES):
        text = sentence.replace("&", "&amp;").replace("<", "&lt;")
        subtitles.captions.append(webvtt.Caption(f"00:00:0{number}.000", f"00:00:0{number}.900", text))
    subtitles.save(str(path))


def make_ass(path):
    subtitles = pysubs2.SSAFile()
    for number, sentence in enumerate(SENTENCES):
        subtitles.append(pysubs2.SSAEvent(start=number * 1000, end=number * 1000 + 900, text=sentence + r"\NEn {\i1}zo{\i0}."))
    subtitles.save(str(path), format_=path.suffix[1:])


MAKERS = {
    "docx": make_docx,
    "pptx": make_pptx,
    "xlsx": make_xlsx,
    "epub": make_epub,
    "rss": make_rss,
    "po": make_po,
    "vtt": make_vtt,
    "ass": make_ass,
    "ssa": make_ass,
}


def read_docx(path):
    document = docx.Document(path)
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    header = [paragraph.text for paragraph in document.sections[0].header.paragraphs]
    return [paragraph.text for paragraph in document.paragraphs] + cells + header


def read_pptx(path):
    slides = pptx.Presentation(path).slides
    texts = [shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame]
    return texts + [slide.notes_slide.notes_text_frame.text for slide in slides if slide.has_notes_slide]


def read_xlsx(path):
    cells = [cell for row in openpyxl.load_workbook(path).active.iter_rows() for cell in row]
    return [cell.value for cell in cells if isinstance(cell.value, str) and " " in cell.value and not cell.value.startswith("=")]


def read_epub(path):
    book = epub.read_epub(path)
    return [item.get_body_content().decode() for item in book.get_items_of_type(ITEM_DOCUMENT)]


def read_rss(path):
    feed = feedparser.parse(str(path))
    assert not feed.bozo, feed
    return [feed.feed.title] + [text for entry in feed.entries for text in (entry.title, entry.description)]


def read_po(path):
    entries = polib.pofile(str(path))
    return [text for entry in entries if entry.msgid != "klaar" for text in ([entry.msgstr] if entry.msgstr else entry.msgstr_plural.values())]


def read_vtt(path):
    return [caption.text for caption in webvtt.read(str(path))]


def read_ass(path):
    return [event.plaintext for event in pysubs2.load(str(path))]


READERS = {
    "docx": read_docx,
    "pptx": read_pptx,
    "xlsx": read_xlsx,
    "epub": read_epub,
    "rss": read_rss,
    "po": read_po,
    "vtt": read_vtt,
    "ass": read_ass,
    "ssa": read_ass,
}
# What stays as it was, in markup or between messages.
KEPT = ("<", "%", "\\", "&")


def office(*arguments):
    with tempfile.TemporaryDirectory() as profile:
        command = [SOFFICE, f"-env:UserInstallation=file://{profile}", "--headless", *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def text_of(path, folder):
    kind = "csv" if path.suffix in (".xlsx", ".ods") else "txt:Text"
    office("--convert-to", kind, "--outdir", folder, path)
    made = folder / f"{path.stem}.{kind.split(':')[0]}"
    return made.read_text("utf-8", errors="replace").splitlines()


def complaints(path):
    """What epubcheck says of a book, without where it says it."""
    # Debian's is an archive of Java, which not every system runs by itself.
    is_archive = Path(EPUBCHECK).read_bytes()[:2] == b"PK"
    program = ["java", "-jar", EPUBCHECK] if is_archive else [EPUBCHECK]
    said = subprocess.run([*program, str(path)], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any("EPUBCheck" in line or "EPUB version" in line for line in lines), lines
    return [line.split(":")[0] for line in lines if line.startswith(("ERROR", "FATAL", "WARNING"))]


def make(folder):
    for kind, maker in MAKERS.items():
        maker(folder / f"made.{kind}")
    (folder / "made.csv").write_text("id;tekst\r\n" + "".join(f'{n};"{s}"\r\n' for n, s in enumerate(SENTENCES)), "utf-8")
    if PANDOC:
        text = folder / "made.markdown"
        # A sign of Markdown or HTML in a sentence is a sign.
        items = "\n".join("- " + re.sub(r"([<>&])", r"\\\1", sentence) for sentence in SENTENCES)
        text.write_text(f"# De brug\n\nDit is **heel** *belangrijk*[^1] nieuws.\n\n{items}\n\n[^1]: Zie de nota.\n", "utf-8")
        for kind in ("docx", "odt", "epub"):
            arguments = ["--metadata", "title=De brug", "--metadata", "lang=nl", "-o", folder / f"pandoc.{kind}", text]
            subprocess.run([PANDOC, *map(str, arguments)], check=True)
        text.unlink()
    if SOFFICE:
        with tempfile.TemporaryDirectory() as other:
            other = Path(other)
            for kind, source in [("odt", "docx"), ("docx", "docx"), ("ods", "xlsx"), ("xlsx", "xlsx"), ("odp", "pptx"), ("pptx", "pptx")]:
                office("--convert-to", kind, "--outdir", other, folder / f"made.{source}")
                shutil.move(other / f"made.{kind}", folder / f"office.{kind}")


def check(folder):
    for kind, reader in READERS.items():
        before = reader(folder / f"made.{kind}") if kind != "po" else read_po(folder / "capitals" / "made.po")
        after = reader(folder / "capitals" / f"made.{kind}")
        assert len(before) == len(after) > 0, (kind, before, after)
        for one, other in zip(before, after):
            in_capitals = other == one.upper() or any(sign in other for sign in KEPT) and any(c.isupper() for c in other)
            assert in_capitals or not any(c.isalpha() for c in one), (kind, one, other)
        print(f"{kind}: {len(after)} texts")
    for folder_of, more in [("bilingual", 0), ("front", 2)]:
        for kind in ("docx", "epub"):
            before = READERS[kind](folder / "capitals" / f"made.{kind}")
            after = READERS[kind](folder / folder_of / f"made.{kind}")
            assert len(after) == len(before) + (more if kind == "docx" else 0), (folder_of, kind, after)
    before, after = (docx.Document(folder / name / "made.docx") for name in ("capitals", "commented"))
    assert len(list(after.comments)) == len(list(before.comments)) + 1
    assert [paragraph.text for paragraph in after.paragraphs] == [paragraph.text for paragraph in before.paragraphs]
    for path in sorted(folder.glob("*/*.epub")) if EPUBCHECK else []:
        before, after = complaints(folder / path.name), complaints(path)
        assert after == before, (path, before, after)
        print(f"epubcheck: {path.parent.name}/{path.name}: {len(after)} complaints, as before")
    if SOFFICE:
        opened = [path for name in ("capitals", "bilingual", "commented", "front") for path in sorted((folder / name).iterdir())]
        for path in opened:
            if path.suffix not in (".docx", ".odt", ".xlsx", ".ods"):
                continue
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                before, after = text_of(folder / path.name, Path(one)), text_of(path, Path(other))
            lines = len(after) >= len(before) if path.parent.name == "bilingual" else len(after) == len(before) + 2 * (path.parent.name == "front")
            assert before and lines, (path, before, after)
            print(f"LibreOffice: {path.parent.name}/{path.name}: {len(after)} lines")
        for path in sorted((folder / "capitals").iterdir()):
            if path.suffix in (".pptx", ".odp"):
                with tempfile.TemporaryDirectory() as one:
                    office("--convert-to", "pdf", "--outdir", one, path)
                    assert (Path(one) / f"{path.stem}.pdf").stat().st_size > 1000, path
                print(f"LibreOffice: {path.name} opens")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
