#!/usr/bin/env python3
"""Writes the documents of the OCR tests, and beside each what it says (NAME.txt, pages parted by form feeds).

usage: documents.py FOLDER [--bench]

Needs Debian's python3-reportlab, python3-pil and fonts-liberation; qpdf for the encrypted one. --bench adds the pages that
tests/bench/ocr/run.sh measures. The same pages come out every time.
"""

import random
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageFilter
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen import canvas

FONTS = "/usr/share/fonts/truetype/liberation/"
WIDTH, HEIGHT = A4

LETTER = [
    ("bold", 13, "ILUSTRE MUNICIPALIDAD DE PEÑALOLÉN"),
    ("sans", 11, "Dirección de Administración y Finanzas · Ordinario Nº 0712/2025"),
    ("sans", 10, "Peñalolén, 3 de septiembre de 2025"),
    ("serif", 11.5, "De nuestra consideración: junto con saludar, informamos a usted que la solicitud de doña Rocío Núñez "
     "Güiraldes, RUT 12.345.678-5, domiciliada en pasaje Los Ñirres Nº 2240, fue acogida por la Comisión Técnica en su "
     "sesión ordinaria del 28 de agosto, según consta en el acta respectiva y en el oficio que se acompaña."),
    ("serif", 11.5, "¿Qué debe hacer ahora? Presentar el certificado de dominio vigente, el plano de la ampliación y una "
     "declaración jurada simple, dentro del plazo de quince días hábiles. ¡Atención! La omisión de cualquiera de estos "
     "antecedentes obligará a reiniciar la tramitación, de acuerdo con el artículo 31 de la Ley Nº 19.880."),
]
TABLE = [
    ["Ítem", "Descripción del servicio", "Cantidad", "Valor", "Total"],
    ["1", "Inspección eléctrica de la sede vecinal", "2", "$ 48.700", "$ 97.400"],
    ["2", "Mantención de áreas verdes, según bases", "1", "$ 315.250", "$ 315.250"],
    ["3", "Señalización vial y demarcación", "4", "$ 27.980", "$ 111.920"],
    ["4", "Arriendo de cámaras, incluida instalación", "3", "$ 61.115", "$ 183.345"],
]
CLOSING = [
    ("serif", 11.5, "La empresa Construcciones Ñielol Limitada, RUT 76.543.210-3, y su representante don Iván Müller Yáñez, "
     "RUT 9.876.543-3, declaran conocer estas condiciones y las aceptan sin reservas."),
    ("serif", 11.5, "Sin otro particular, se despide atentamente,"),
    ("bold", 11.5, "Águeda Öhlinger Cárdenas"),
    ("serif", 11, "Directora (S) de Administración y Finanzas"),
]
RULING = [
    "PRIMERO: Que comparece don Ramón Cañete Agüero, contador, en representación de la Junta de Vecinos Nº 14 de Ñuñoa, "
    "e interpone reclamación en contra de la resolución que negó el uso del inmueble ubicado en calle Manuel de Salas.",
    "SEGUNDO: Que, según expone, la negativa carece de fundamento, pues el permiso provisorio se hallaba vigente y los "
    "informes técnicos acompañados en su oportunidad señalaron que no existía riesgo alguno para los vecinos del sector.",
    "TERCERO: Que la reclamada evacuó el traslado y pidió el rechazo, con costas. Sostuvo que la autorización caducó el 30 "
    "de junio, que nadie solicitó su prórroga y que el acta de inspección da cuenta de modificaciones no autorizadas.",
    "CUARTO: Que para resolver es útil tener presente que la caducidad requiere de un acto fundado y notificado; así lo ha "
    "resuelto la jurisprudencia administrativa en reiteradas ocasiones, de las que ilustra el dictamen Nº 8.270, de 2020.",
    "QUINTO: Que los testigos señora Inés Ibáñez Toledo y señor Óscar Peñaloza Ruiz están contestes en que las obras se "
    "limitaron a reparar la techumbre dañada por el temporal, lo que resta mérito a lo consignado por el inspector.",
    "SEXTO: Que, en consecuencia, y apreciando la prueba conforme a las reglas de la sana crítica, se concluye que no hubo "
    "incumplimiento, sino una deficiente comunicación entre dos unidades del mismo municipio.",
    "SÉPTIMO: Que tampoco procede aplicar la multa de 25 UTM, por cuanto su cuantía se determinó sin audiencia previa de "
    "la interesada y con infracción de las garantías que la Constitución asegura a todas las personas.",
]


def fonts():
    for name, file in [("serif", "LiberationSerif-Regular"), ("bold", "LiberationSerif-Bold"), ("sans", "LiberationSans-Regular")]:
        pdfmetrics.registerFont(TTFont(name, FONTS + file + ".ttf"))


class Page:
    """Puts text on a canvas from the top, and remembers it line by line."""

    def __init__(self, sheet):
        self.sheet, self.y, self.said = sheet, HEIGHT - 60, []

    def put(self, font, size, text, gap=8):
        line = ""
        for word in text.split() + [None]:
            longer = f"{line} {word}".strip() if word else None
            if longer and self.sheet.stringWidth(longer, font, size) <= WIDTH - 140:
                line = longer
                continue
            self.sheet.setFont(font, size)
            self.sheet.drawString(70, self.y, line)
            self.said.append(line)
            self.y -= size * 1.35
            line = word or ""
        self.y -= gap

    def table(self, rows):
        columns = [70, 105, 330, 395, 460]
        top = self.y + 6
        for row in rows:
            self.y -= 18
            self.sheet.setFont("sans", 9.5)
            for x, text in zip(columns, row):
                self.sheet.drawString(x + 4, self.y, text)
            self.said.append(" ".join(row))
            self.sheet.setLineWidth(0.6)
            self.sheet.line(70, self.y - 5, WIDTH - 70, self.y - 5)
        for x in columns + [WIDTH - 70]:
            self.sheet.line(x, top, x, self.y - 5)
        self.sheet.line(70, top, WIDTH - 70, top)
        self.y -= 30

    def end(self):
        self.sheet.showPage()
        return "\n".join(self.said) + "\n"


def letter(sheet):
    page = Page(sheet)
    for font, size, text in LETTER:
        page.put(font, size, text)
    page.table(TABLE)
    for font, size, text in CLOSING:
        page.put(font, size, text)
    return page.end()


def ruling(sheet, size=10.5, heading="VISTOS Y CONSIDERANDO:"):
    page = Page(sheet)
    page.put("bold", 12, heading)
    for text in RULING:
        page.put("serif", size, text)
    return page.end()


def pdf(path, pages):
    """A PDF and what it says."""
    sheet = canvas.Canvas(str(path), pagesize=A4, invariant=1)
    texts = [make(sheet) for make in pages]
    sheet.save()
    path.with_suffix(".txt").write_text("\f".join(texts))


def render(path, dpi):
    """The pages of a PDF as grey pictures."""
    drawn = subprocess.run(["pdftoppm", "-gray", "-r", str(dpi), str(path)], capture_output=True, check=True).stdout
    pages, at = [], 0
    while at < len(drawn):
        width, height = map(int, drawn[at:].split(b"\n", 3)[1].split())
        start = at + len(b"P5\n%d %d\n255\n" % (width, height))
        pages.append(Image.frombytes("L", (width, height), drawn[start : start + width * height]))
        at = start + width * height
    return pages


def scanned(picture, angle, blur, noise, quality=None, seed=1):
    """As a scanner makes it: slanted, soft, noisy, on grey paper."""
    picture = picture.rotate(angle, resample=Image.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(blur))
    grain = Image.frombytes("L", picture.size, random.Random(seed).randbytes(picture.width * picture.height))
    grain = grain.filter(ImageFilter.GaussianBlur(0.4))
    picture = Image.blend(picture.point(lambda value: int(value * 0.86 + 18)), grain, noise)
    return picture


def as_scan(path, pictures, dpi):
    """A PDF of pictures."""
    pictures[0].save(path, "PDF", resolution=dpi, save_all=True, append_images=pictures[1:], quality=75)


def bomb(path, pages, box):
    """A PDF by hand: so many pages of such a size, with a word on each."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + n} 0 R" for n in range(pages))
    objects.append(f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>")
    objects.append("<< /Length 0 >>\nstream\n\nendstream")
    objects += [f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {box} {box}] /Contents 3 0 R >>"] * pages
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text.encode())
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    path.write_bytes(out + end % (len(objects) + 1, table, len(objects) + 1, len(out)))


def documents(folder):
    pdf(folder / "text-layer.pdf", [letter, ruling])
    letter_page, ruling_page = render(folder / "text-layer.pdf", 200)
    texts = (folder / "text-layer.txt").read_text().split("\f")
    for name, picture, text in [("letter", letter_page, texts[0]), ("ruling", ruling_page, texts[1])]:
        picture.save(folder / f"{name}.png", dpi=(200, 200))
        (folder / f"{name}.txt").write_text(text)
    scanned(letter_page, 1.2, 0.8, 0.08).convert("RGB").save(folder / "skewed.jpg", quality=60, dpi=(200, 200))
    (folder / "skewed.txt").write_text(texts[0])
    scanned(ruling_page, -0.7, 1.0, 0.14).convert("RGB").save(folder / "noisy.jpg", quality=45, dpi=(200, 200))
    (folder / "noisy.txt").write_text(texts[1])
    letter_page.point(lambda value: 255 * (value > 140)).convert("1").save(
        folder / "fax.tiff", compression="group4", dpi=(200, 200), save_all=True, append_images=[ruling_page.convert("1")])
    (folder / "fax.txt").write_text("\f".join(texts))
    as_scan(folder / "scan.pdf", [letter_page, ruling_page], 200)
    (folder / "scan.txt").write_text("\f".join(texts))
    # Twenty pages with a number each.
    pdf(folder / "twenty.pdf", [lambda sheet, n=n: ruling(sheet, 10.5, f"FOJA {n} DE VEINTE") for n in range(1, 21)])
    # What is bad.
    jpeg = (folder / "skewed.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) * 6 // 10])
    png = (folder / "letter.png").read_bytes()
    with Image.open(folder / "letter.png") as upright:
        for degrees in (90, 180, 270):
            upright.rotate(degrees, expand=True).save(folder / f"turned-{degrees}.png", dpi=(200, 200))
    (folder / "truncated.png").write_bytes(png[: len(png) * 6 // 10])
    subprocess.run(["qpdf", "--encrypt", "secreto", "dueño", "256", "--", folder / "text-layer.pdf", folder / "encrypted.pdf"], check=True)
    bomb(folder / "large-page.pdf", 1, 14_000_000)
    bomb(folder / "many-pages.pdf", 5000, 200)
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "text.pdf").write_text("Estimados vecinos: esto no es un PDF.\n")
    (folder / "broken.pdf").write_bytes((folder / "text-layer.pdf").read_bytes()[:900])
    blank = Image.new("L", (1000, 1400), 255)
    blank.save(folder / "blank.png")
    Image.new("1", (30_000, 30_000), 1).save(folder / "large.png")
    good = (folder / "letter.png").read_bytes()
    for name in ["-o.pdf", "$(touch x).png", "--help", "a\nb;rm -rf ~.png"]:
        (folder / name).write_bytes((folder / "text-layer.pdf").read_bytes() if name.endswith(".pdf") else good)


def bench(folder):
    """Easy and hard pages, as an office gets them: most are printed PDFs and clean scans."""
    letter_page, ruling_page = render(folder / "text-layer.pdf", 200)
    letter_text, ruling_text = (folder / "text-layer.txt").read_text().split("\f")
    small = folder / "small.pdf"
    pdf(small, [lambda sheet: ruling(sheet, 8.5)])
    (small_page,), small_text = render(small, 200), small.with_suffix(".txt").read_text()
    pages = [
        ("easy-1", letter_page, letter_text),
        ("easy-2", ruling_page, ruling_text),
        ("easy-3", small_page, small_text),
        ("easy-4", scanned(letter_page, 0.3, 0.5, 0.03), letter_text),
        ("easy-5", scanned(ruling_page, -0.2, 0.6, 0.04), ruling_text),
        ("easy-6", scanned(small_page, 0.0, 0.4, 0.02), small_text),
        ("easy-7", scanned(ruling_page, 0.5, 0.8, 0.06), ruling_text),
        ("easy-8", letter_page.point(lambda value: 255 * (value > 150)), letter_text),
        ("hard-1", scanned(letter_page, 1.8, 1.0, 0.16), letter_text),
        ("hard-2", scanned(ruling_page, -2.5, 1.2, 0.20), ruling_text),
        ("hard-3", scanned(small_page.resize((small_page.width // 2, small_page.height // 2), Image.LANCZOS).resize(small_page.size, Image.BICUBIC), 0.4, 0.5, 0.05), small_text),
    ]
    for name, picture, text in pages:
        picture.save(folder / f"{name}.png", dpi=(200, 200))
        (folder / f"{name}.txt").write_text(text)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fonts()
    if "--bench" in sys.argv[2:]:
        pdf(folder / "text-layer.pdf", [letter, ruling])
        bench(folder)
    else:
        documents(folder)


main()
