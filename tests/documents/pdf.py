"""Makes PDF with LibreOffice and with TeX, and says how well their text was found: see README.md.

pdf.py make FOLDER    writes NAME.pdf, and NAME.json with what is in it: paragraphs, and which of them are headings
pdf.py check FOLDER   compares NAME.md, which the test wrote, with that
"""

import difflib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

TITLE = "Het dorp bouwt zelf een brug"
HEADINGS = ["Een plan van vijf buren", "Geld en vergunningen", "Hoe het verder gaat"]
TEXTS = [
    "Aan de rand van Wierdum ligt een sloot die te breed is om overheen te springen en te smal voor een veerpont. Jarenlang liepen "
    "de kinderen daarom een omweg van twee kilometer naar school, langs een weg waar vrachtwagens rijden. Vijf buren vonden dat het "
    "genoeg was. Ze tekenden een brug op de achterkant van een bierviltje en gingen ermee naar de gemeente.",
    "De gemeente had er geen geld voor, maar ook geen bezwaar tegen. Wie zelf bouwt, moet wel aan alle voorschriften voldoen, zei de "
    "wethouder van verkeer. Dat bleek een dikke map papier te zijn, met hoofdstukken over windbelasting, leuninghoogte en de "
    "waterstand na een week regen.",
    "Timmerman Sjoerd Hofstra rekende uit dat er ongeveer veertig kubieke meter hout nodig was. Een houthandel in de buurt gaf een "
    "partij balken die al drie winters buiten lag. Het hout was grijs geworden, maar vanbinnen nog gezond, en het kostte alleen het "
    "vervoer. De rest kwam van een gesloopte schuur.",
    "Op zaterdagochtend staan er soms dertig mensen aan de waterkant. De een zaagt, de ander schenkt koffie, en een paar jongens van "
    "een jaar of twaalf mogen de gaten boren. Niemand wordt betaald. Wie komt helpen, krijgt tussen de middag een bord erwtensoep "
    "met roggebrood.",
    "Niet iedereen was meteen enthousiast. Een oud-voorzitter van de ijsvereniging vreesde dat schaatsers hun hoofd zouden stoten "
    "als het in de winter eindelijk weer eens vriest. De bouwers hebben de brug daarom een halve meter hoger gemaakt dan op de eerste "
    "tekening stond. De oud-voorzitter kwam daarna zelf met een hamer langs.",
    "De vergunning kostte meer tijd dan het bouwen. Eerst moest een ecoloog kijken of er vleermuizen onder de wilgen wonen. Die waren "
    "er niet, maar wel een paar ijsvogels, zodat er in het voorjaar drie maanden niet geheid mocht worden. In die tijd werden de "
    "leuningen geschuurd en geverfd.",
    "Volgens de provincie is het de eerste keer dat bewoners in deze streek zelf een brug neerzetten. Andere dorpen hebben al gebeld "
    "met vragen over verzekeringen en aansprakelijkheid. De vijf buren hebben van hun ervaringen een boekje gemaakt dat iedereen kan "
    "opvragen, met tekeningen, prijzen en een lijst van fouten.",
    "Over het onderhoud zijn afspraken gemaakt die in een la van het dorpshuis liggen. Ieder jaar in april worden de planken nagekeken, "
    "en om de vijf jaar krijgt het hout een nieuwe laag verf. Daarvoor is een potje waar elk huishouden een tientje in stopt. Wie "
    "niet betalen kan, helpt een ochtend mee.",
    "De opening is op de eerste zondag van september. De fanfare speelt, er is taart, en de jongste leerling van de school mag als "
    "eerste naar de overkant. Daarna is de brug van iedereen. Alleen auto's mogen er niet op, en paarden alleen aan de hand.",
]
POINTS = [
    "Een zaag, een hamer en een paar stevige handschoenen voor iedereen die komt helpen.",
    "Koffie voor dertig mensen.",
    "Een boot om de palen naar de overkant te brengen, met iemand die weet hoe hij vaart.",
]
NOTES = ["Zo staat het in het verslag van de raad.", "Een kubieke meter hout weegt ongeveer zeshonderd kilo."]
LONG_NOTES = [
    "Wie de hele geschiedenis van de brug wil lezen, kan terecht in het archief van het dorpshuis, waar ook de tekeningen van de vijf "
    "buren en de brieven van de gemeente liggen.",
    *NOTES,
    "Dat geldt niet voor de provinciale weg, want daar moet een brug ook een vrachtwagen kunnen dragen, en wie dat wil uitrekenen, "
    "heeft een opleiding nodig.",
]
CELLS = [["Wat", "Prijs"], ["Balken en planken", "vierhonderd euro"], ["Verf en kwasten", "tachtig euro"]]
ACCENTS = (
    "Het café aan de overkant heet Daniël, naar de coördinator die er de financiën deed. Zijn zoon André vond dat één naam genoeg "
    "was, maar zijn moeder Zoë schreef er nog \u201ecrème brûlée\u201d onder."
)


def heading(text):
    return {"text": text, "heading": True}


def text(text):
    return {"text": text, "heading": False}


def article(count=len(TEXTS)):
    """Title, headings and texts in their order."""
    parts = [heading(TITLE)]
    for at, one in enumerate(TEXTS[:count]):
        if at % 3 == 0:
            parts.append(heading(HEADINGS[at // 3]))
        parts.append(text(one))
    return parts


def element(parent, name, **values):
    child = OxmlElement(name)
    for key, value in values.items():
        child.set(qn(f"w:{key}"), str(value))
    parent.append(child)
    return child


def field(paragraph, code):
    element(paragraph._p, "w:fldSimple", instr=code).append(OxmlElement("w:r"))


def document(parts, justified=False):
    made = docx.Document()
    style = made.styles["Normal"]
    element(style.element.get_or_add_rPr(), "w:lang", val="nl-NL")
    for part in parts:
        if part["heading"]:
            made.add_heading(part["text"], 1 if part["text"] == TITLE else 2)
        else:
            paragraph = made.add_paragraph(part["text"])
            if justified:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
    return made


def office_plain():
    return document(article()), article()


def office_columns():
    made = document(article(), justified=True)
    element(made.sections[0]._sectPr, "w:cols", num=2, space=400)
    element(made.settings.element, "w:autoHyphenation", val="true")
    return made, article()


def office_lists():
    made = document(article(2))
    for point in POINTS:
        made.add_paragraph(point, style="List Bullet")
    made.add_paragraph(TEXTS[2])
    for point in POINTS:
        made.add_paragraph(point, style="List Number")
    made.add_paragraph(TEXTS[3])
    points = [text(point) for point in POINTS]
    return made, article(2) + points + [text(TEXTS[2])] + points + [text(TEXTS[3])]


def office_heads():
    made = document(article() + [text(one) for one in TEXTS])
    section = made.sections[0]
    section.header.paragraphs[0].text = "Dorpsblad van Wierdum, nummer 12"
    section.footer.paragraphs[0].text = "Bladzijde "
    field(section.footer.paragraphs[0], "PAGE")
    return made, article() + [text(one) for one in TEXTS]


def office_table():
    made = document(article(3))
    table = made.add_table(len(CELLS), len(CELLS[0]))
    for row, cells in zip(table.rows, CELLS):
        for cell, one in zip(row.cells, cells):
            cell.text = one
    made.add_paragraph(TEXTS[3])
    return made, article(3) + [text(cell) for row in CELLS for cell in row] + [text(TEXTS[3])]


FODT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" office:version="1.2"
 office:mimetype="application/vnd.oasis.opendocument.text"><office:automatic-styles>
<style:style style:name="Apart" style:family="paragraph"><style:paragraph-properties fo:margin-bottom="0.4cm"/></style:style>
</office:automatic-styles><office:body><office:text>%s</office:text></office:body></office:document>"""


class Flat:
    """A text of Writer with a note in each paragraph, which python-docx cannot write."""

    def save(self, path):
        note = (
            '<text:note text:note-class="footnote"><text:note-citation>%d</text:note-citation><text:note-body>'
            '<text:p text:style-name="Footnote">%s</text:p></text:note-body></text:note>'
        )
        said = (f'<text:p text:style-name="Apart">{text}{note % (at, one)}</text:p>' for at, (text, one) in enumerate(zip(TEXTS, LONG_NOTES), 1))
        path.with_suffix(".fodt").write_text(FODT % "".join(said), "utf-8")


def office_notes():
    parts = [text(one + mark) for one, mark in zip(TEXTS, "¹²³⁴")]
    return Flat(), parts + [text(f"{at} {note}") for at, note in enumerate(LONG_NOTES, 1)]


OFFICE = {"office-plain": office_plain, "office-columns": office_columns, "office-lists": office_lists}
OFFICE |= {"office-heads": office_heads, "office-table": office_table, "office-notes": office_notes}

HEAD = r"\documentclass[%s]{%s}\usepackage[utf8]{inputenc}%s\usepackage[dutch]{babel}"


def tex_body(parts, numbered=False):
    lines = []
    for part in parts:
        if not part["heading"]:
            lines.append(part["text"].replace("\u201e", ",,").replace("\u201d", "''") + "\n")
        elif part["text"] == TITLE:
            lines.append(r"\title{%s}\author{}\date{}\maketitle" % TITLE)
        else:
            lines.append((r"\section{%s}" if numbered else r"\section*{%s}") % part["text"])
    return "\n".join(lines)


def tex(head, body):
    return head + "\n\\begin{document}\n" + body + "\n\\end{document}\n"


# Without lmodern these are fonts of bitmaps.
T1 = r"\usepackage[T1]{fontenc}"
LMODERN = T1 + r"\usepackage{lmodern}"


def tex_article():
    return tex(HEAD % ("a4paper", "article", T1), tex_body(article())), article()


def tex_columns():
    return tex(HEAD % ("a4paper,twocolumn", "article", LMODERN), tex_body(article())), article()


def tex_notes():
    items = "\n".join(r"\item " + point for point in POINTS)
    body = tex_body(article(2)) + "\n" + TEXTS[2] + r"\footnote{%s}" % NOTES[0] + "\n\n"
    body += "\\begin{itemize}%s\\end{itemize}\n" % items + TEXTS[3] + r"\footnote{%s}" % NOTES[1] + "\n\n"
    body += "\\begin{enumerate}%s\\end{enumerate}\n" % items + TEXTS[4]
    points = [text(point) for point in POINTS]
    parts = article(2) + [text(TEXTS[2] + "¹")] + points + [text(TEXTS[3] + "²")] + points + [text(TEXTS[4])]
    return tex(HEAD % ("a4paper", "article", LMODERN), body), parts + [text("¹" + NOTES[0]), text("²" + NOTES[1])]


def tex_heads():
    parts = article() + [text(one) for one in TEXTS] * 2
    head = HEAD % ("a5paper,twoside", "article", T1) + r"\pagestyle{myheadings}\markboth{Dorpsblad van Wierdum}{Nummer twaalf}"
    return tex(head, tex_body(parts)), parts


def tex_accents():
    parts = [heading(TITLE), text(ACCENTS)] + [text(one) for one in TEXTS]
    body = tex_body(parts[:1]) + "\n\\begin{multicols}{3}\n" + tex_body(parts[1:]) + "\n\\end{multicols}"
    return tex(HEAD % ("a4paper", "article", r"\usepackage{multicol}"), body), parts


def tex_small_notes():
    body = "\n\n".join(one + r"\footnote{%s}" % note for one, note in zip(TEXTS, LONG_NOTES))
    parts = [text(one + mark) for one, mark in zip(TEXTS, "¹²³⁴")]
    head = HEAD % ("a4paper,twocolumn", "article", LMODERN)
    return tex(head, body), parts + [text(mark + note) for mark, note in zip("¹²³⁴", LONG_NOTES)]


TEX = {"tex-article": tex_article, "tex-columns": tex_columns, "tex-notes": tex_notes, "tex-heads": tex_heads}
TEX |= {"tex-accents": tex_accents, "tex-small-notes": tex_small_notes}


def quietly(*command, **more):
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def make(folder):
    for name, maker in OFFICE.items():
        made, parts = maker()
        made.save(folder / f"{name}.docx")
        (folder / f"{name}.json").write_text(json.dumps(parts), "utf-8")
    with tempfile.TemporaryDirectory() as profile:
        files = [*folder.glob("*.docx"), *folder.glob("*.fodt")]
        quietly("soffice", f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", "pdf", "--outdir", folder, *files)
    for name, maker in TEX.items():
        source, parts = maker()
        (folder / f"{name}.tex").write_text(source, "utf-8")
        (folder / f"{name}.json").write_text(json.dumps(parts), "utf-8")
        quietly("pdflatex", "-interaction=batchmode", f"{name}.tex", cwd=folder)


def found(markdown):
    """The paragraphs of an article in Markdown, without its signs."""
    parts = []
    for one in re.split(r"\n\n|\n(?=(?:- |\d+[.)] ))", markdown.strip()):
        said = re.sub(r"^(#+ |- |\d+[.)] )", "", one.strip())
        parts.append({"text": re.sub(r"\\(.)", r"\1", said), "heading": one.startswith("#")})
    return parts


def plain(said):
    return " ".join(said.replace(",,", '"').replace("''", '"').replace("„", '"').replace("”", '"').replace("’", "'").split())


def words(parts):
    return [word for part in parts for word in plain(part["text"]).split()]


def check(folder):
    total = Counter()
    print(f"{'':16} {'words':>7} {'wrong':>7} {'order':>7} {'paragraphs':>12} {'headings':>10}")
    for name in [*OFFICE, *TEX]:
        expected = json.loads((folder / f"{name}.json").read_text("utf-8"))
        got = found((folder / f"{name}.md").read_text("utf-8"))
        one, other = words(expected), words(got)
        same = sum((Counter(one) & Counter(other)).values())
        matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
        in_order = sum(block.size for block in matcher.get_matching_blocks())
        texts = Counter(plain(part["text"]) for part in got)
        whole = sum((texts & Counter(plain(part["text"]) for part in expected)).values())
        heads = [plain(part["text"]) for part in got if part["heading"]]
        true_heads = [plain(part["text"]) for part in expected if part["heading"]]
        row = Counter(words=len(one), found=same, wrong=len(other) - same, order=in_order, paragraphs=len(expected), whole=whole)
        row += Counter(heads=len(true_heads), headings=sum((Counter(heads) & Counter(true_heads)).values()))
        row["false"] = len(heads) - row["headings"]
        show(name, row)
        total += row
        for part in expected:
            if plain(part["text"]) not in texts:
                print(f"    not whole: {part['text'][:70]}")
    show("all", total)
    assert total["order"] >= 0.97 * total["words"] and total["wrong"] <= 0.02 * total["words"], total
    assert total["whole"] >= 0.9 * total["paragraphs"] and total["headings"] >= 0.9 * total["heads"], total


def show(name, row):
    share = lambda part, whole: f"{100 * row[part] / max(1, row[whole]):.1f} %"
    counts = f"{row['whole']}/{row['paragraphs']}", f"{row['headings']}/{row['heads']} +{row['false']}"
    print(f"{name:16} {share('found', 'words'):>7} {row['wrong']:>7} {share('order', 'words'):>7} {counts[0]:>12} {counts[1]:>10}")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
