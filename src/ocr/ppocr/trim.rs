//! Fewer characters for the recognition model.
//!
//! PP-OCR knows 18 708 characters, most of them Chinese. Its last layer, the softmax behind it and their buffers are a fifth of
//! the time of a line. Here the columns of the characters that a document in a Latin script can have are kept, and the others
//! cut out of the ONNX file in memory: the answer for those kept is the same, but no look-alike of another script wins.
//!
//! The file is a protobuf message; only its outer shape is read. Whatever is not as expected leaves the model as it was.

/// What of Unicode a document in a Latin script can have: ASCII, Latin-1 and Latin Extended-A, and the signs of print.
pub(crate) fn is_latin(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a1}'..='\u{17f}')
        || "–—‘’‚“”„†‡•…‰′″‹›€№™−≈≠≤≥→←↑↓□■▪●○✓✔☐☑☒".contains(character)
}

/// The model with the classes `keep` of its `classes` alone, in that order. `None` where it has not the expected shape.
pub(crate) fn model(model: &[u8], classes: usize, keep: &[usize]) -> Option<Vec<u8>> {
    let (mut out, mut cut) = (Vec::with_capacity(model.len()), 0);
    let valid = keep.iter().all(|at| *at < classes);
    for field in fields(model)? {
        if field.number != GRAPH {
            out.extend_from_slice(field.whole);
            continue;
        }
        let mut graph = Vec::with_capacity(field.content.len());
        for part in fields(field.content)? {
            match part.number {
                INITIALIZER => match tensor(part.content, classes, keep)? {
                    Some(smaller) => {
                        cut += 1;
                        put(&mut graph, INITIALIZER, &smaller);
                    }
                    None => graph.extend_from_slice(part.whole),
                },
                // The shapes that the file notes for its values hold the old number; the runtime works them out itself.
                VALUE_INFO => {}
                OUTPUT => put(&mut graph, OUTPUT, &without_shape(part.content)?),
                _ => graph.extend_from_slice(part.whole),
            }
        }
        put(&mut out, GRAPH, &graph);
    }
    // The last layer's weights and its bias, and nothing else.
    (valid && cut == 2).then_some(out)
}

/// The list of characters in a model's metadata.
pub(crate) fn characters(model: &[u8]) -> Option<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    for entry in fields(model)?.into_iter().filter(|field| field.number == METADATA) {
        let parts = fields(entry.content)?;
        let part = |number| parts.iter().find(|part| part.number == number).map(|part| part.content);
        if part(1) == Some(b"character") {
            return text(part(2)?);
        }
    }
    None
}

// Field numbers of onnx.proto: ModelProto, GraphProto, TensorProto, ValueInfoProto.
const GRAPH: u64 = 7;
const METADATA: u64 = 14;
const INITIALIZER: u64 = 5;
const OUTPUT: u64 = 12;
const VALUE_INFO: u64 = 13;
const DIMS: u64 = 1;
const DATA_TYPE: u64 = 2;
const RAW_DATA: u64 = 9;
const VALUE_NAME: u64 = 1;

/// A tensor of 32-bit floats whose last dimension are the classes, with those of `keep` alone. The inner `None`: it is another
/// one.
#[allow(clippy::option_option)] // one is about the file, the other about the tensor
fn tensor(bytes: &[u8], classes: usize, keep: &[usize]) -> Option<Option<Vec<u8>>> {
    let parts = fields(bytes)?;
    let mut dims = Vec::new();
    for part in parts.iter().filter(|part| part.number == DIMS) {
        if part.is_bytes {
            let mut rest = part.content;
            while !rest.is_empty() {
                dims.push(number(&mut rest)?);
            }
        } else {
            dims.push(part.value);
        }
    }
    if dims.last().is_none_or(|last| usize::try_from(*last) != Ok(classes)) {
        return Some(None);
    }
    let floats = parts.iter().any(|part| part.number == DATA_TYPE && part.value == 1);
    let raw = parts.iter().find(|part| part.number == RAW_DATA)?.content;
    let row = classes.checked_mul(4)?;
    if !floats || raw.is_empty() || raw.len() % row != 0 {
        return None;
    }
    let mut data = Vec::with_capacity(raw.len() / classes * keep.len());
    for row in raw.chunks_exact(row) {
        for at in keep {
            data.extend_from_slice(row.get(at * 4..at * 4 + 4)?);
        }
    }
    let mut out = Vec::with_capacity(data.len() + 64);
    *dims.last_mut()? = u64::try_from(keep.len()).ok()?;
    for dim in dims {
        put_number(&mut out, DIMS << 3);
        put_number(&mut out, dim);
    }
    for part in parts.iter().filter(|part| ![DIMS, RAW_DATA].contains(&part.number)) {
        out.extend_from_slice(part.whole);
    }
    put(&mut out, RAW_DATA, &data);
    Some(Some(out))
}

/// A graph's output: its name, and that it has floats.
fn without_shape(bytes: &[u8]) -> Option<Vec<u8>> {
    let name = fields(bytes)?.into_iter().find(|part| part.number == VALUE_NAME)?;
    let mut out = name.whole.to_vec();
    // type (2) { tensor_type (1) { elem_type (1): 1 } }
    out.extend_from_slice(&[0x12, 0x04, 0x0a, 0x02, 0x08, 0x01]);
    Some(out)
}

struct Field<'b> {
    number: u64,
    is_bytes: bool,
    value: u64,
    content: &'b [u8],
    whole: &'b [u8],
}

/// The fields of a message, in their order.
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let key = number(&mut rest)?;
        let (mut value, mut content) = (0, &start[..0]);
        match key & 7 {
            0 => value = number(&mut rest)?,
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(number(&mut rest)?).ok()?;
                content = rest.get(..length)?;
                rest = &rest[length..];
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
        let whole = &start[..start.len() - rest.len()];
        found.push(Field { number: key >> 3, is_bytes: key & 7 == 2, value, content, whole });
    }
    Some(found)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    put_number(out, field << 3 | 2);
    put_number(out, content.len() as u64);
    out.extend_from_slice(content);
}

#[allow(clippy::cast_possible_truncation)] // seven bits at a time
fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn a_tensor(dims: &[u8], values: &[f32]) -> Vec<u8> {
        let mut out: Vec<u8> = dims.iter().flat_map(|dim| [0x08, *dim]).collect();
        out.extend([0x10, 1]);
        put(&mut out, 8, b"name");
        put(&mut out, RAW_DATA, &floats(values));
        out
    }

    fn a_model(initializers: &[Vec<u8>]) -> Vec<u8> {
        let mut graph = Vec::new();
        for tensor in initializers {
            put(&mut graph, INITIALIZER, tensor);
        }
        put(&mut graph, VALUE_INFO, b"\x0a\x01x");
        put(&mut graph, OUTPUT, b"\x0a\x01y");
        let mut out = vec![0x08, 10];
        put(&mut out, GRAPH, &graph);
        out
    }

    #[test]
    fn columns_are_kept_in_their_order() {
        let weights = a_tensor(&[2, 4], &[0., 1., 2., 3., 10., 11., 12., 13.]);
        let (bias, other) = (a_tensor(&[4], &[20., 21., 22., 23.]), a_tensor(&[4, 1], &[1., 2., 3., 4.]));
        let smaller = model(&a_model(&[weights.clone(), bias.clone(), other.clone()]), 4, &[0, 3]).unwrap();
        let outer = fields(&smaller).unwrap();
        let graph = fields(outer[1].content).unwrap();
        let raw = |at: usize| fields(graph[at].content).unwrap().last().unwrap().content.to_vec();
        assert_eq!(raw(0), floats(&[0., 3., 10., 13.]));
        assert_eq!(raw(1), floats(&[20., 23.]));
        assert_eq!(graph[2].content, other);
        assert_eq!((graph.len(), graph[3].number), (4, OUTPUT));
        let dims: Vec<u64> =
            fields(graph[0].content).unwrap().iter().filter(|f| f.number == DIMS).map(|f| f.value).collect();
        assert_eq!(dims, [2, 2]);
        // Not what is expected: as it was.
        assert!(model(&a_model(std::slice::from_ref(&weights)), 4, &[0]).is_none());
        assert!(model(&a_model(&[weights.clone(), bias]), 4, &[4]).is_none());
        assert!(model(&a_model(&[weights])[..30], 4, &[0]).is_none());
        assert!(model(&[0xff; 40], 4, &[0]).is_none());
    }

    #[test]
    fn letters_of_spanish_names() {
        assert!("¿Ñandú? Ünal & Kovačević «S.A.» Nº 1 – 2 €".chars().all(is_latin));
        assert!(!"中，（　Я".chars().any(is_latin));
    }
}
