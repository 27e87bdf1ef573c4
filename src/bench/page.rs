//! A page to read, made when it is needed: a letter in Spanish, as a PDF with one of the fonts that every reader has.

/// Words that the letter is made of, accents and all.
const WORDS: &str = "Señor alcalde: los vecinos de la población Ñuñoa piden que se repare la calzada, pues desde el invierno \
    pasado hay hoyos que dañan los automóviles y ponen en peligro a quienes cruzan con niños. También solicitamos iluminación \
    en el pasaje Los Aromos, donde ocurrió un accidente el día doce de marzo, según consta en la carpeta de la comisaría. \
    Adjuntamos fotografías, la nómina de firmas y una cotización de la empresa que hizo el último arreglo. Agradecemos que se \
    nos informe el plazo de ejecución y quién será responsable de la obra. Quedamos atentos a su pronta respuesta.";
/// Columns of a line, and lines of the page.
const COLUMNS: usize = 78;
const LINES: usize = 36;

/// The PDF, and its text.
pub fn pdf() -> (Vec<u8>, String) {
    let mut lines = vec![String::new()];
    let mut words = WORDS.split_whitespace().cycle();
    while lines.len() <= LINES {
        let Some(word) = words.next() else { break };
        let Some(line) = lines.last_mut() else { break };
        if line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.truncate(LINES);
    let mut content = b"BT /F1 11 Tf 60 780 Td 19 TL\n".to_vec();
    for line in &lines {
        content.push(b'(');
        content.extend(line.chars().map(latin));
        content.extend_from_slice(b") '\n");
    }
    content.extend_from_slice(b"ET");
    (file(&content), lines.join(" "))
}

/// `WinAnsiEncoding` has all letters of Spanish where Latin 1 has them; a bracket would have to be escaped, and there is none.
fn latin(c: char) -> u8 {
    u8::try_from(u32::from(c)).unwrap_or(b'?')
}

fn file(content: &[u8]) -> Vec<u8> {
    let stream =
        [format!("<< /Length {} >>\nstream\n", content.len()).as_bytes(), content, b"\nendstream"].concat();
    let objects: [&[u8]; 5] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [ 4 0 R ] >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents 5 0 R >>",
        &stream,
    ];
    let (mut out, mut places) = (b"%PDF-1.4\n".to_vec(), Vec::new());
    for (number, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n", number + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    let table: String = places.iter().map(|at| format!("{at:010} 00000 n \n")).collect();
    let tail = format!(
        "xref\n0 6\n0000000000 65535 f \n{table}trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    out.extend_from_slice(tail.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_in_latin() {
        let (pdf, text) = pdf();
        assert!(pdf.starts_with(b"%PDF-1.4") && pdf.ends_with(b"%%EOF\n"));
        assert!(text.split(' ').count() > 350 && text.contains("Ñuñoa"), "{text}");
        assert!(text.chars().all(|c| u32::from(c) < 256 && !"()\\".contains(c)), "{text}");
        assert!(text.chars().map(latin).all(|byte| byte != b'?'));
    }
}
