//! The header of a GGUF file: what a model is, and what it needs to run.
//!
//! Layout: `GGUF`, version, number of tensors, number of values, then each value as name, type and content
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). All numbers are little-endian.

use std::io::{self, Read};

use serde::Serialize;

use crate::t;

/// What of a header bears on memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gguf {
    /// `general.architecture`.
    pub architecture: String,
    /// `general.name`; may be empty.
    pub name: String,
    /// Bytes of the file, which is nearly all weights.
    pub file_bytes: u64,
    /// How its weights are packed, as llama.cpp numbers it (`general.file_type`).
    pub file_type: Option<u64>,
    /// Layers.
    pub layers: u64,
    /// Heads of keys and values, of one layer or of each.
    pub kv_heads: Vec<u64>,
    /// Numbers in a key.
    pub key_length: u64,
    /// Numbers in a value.
    pub value_length: u64,
    /// Numbers in an embedding.
    pub embedding: u64,
    /// Numbers in the middle of the feed-forward part.
    pub feed_forward: u64,
    /// Tokens that the model knows.
    pub vocabulary: u64,
    /// The longest context that it was made for, tokens.
    pub context: u64,
}

/// What a model needs, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its weights.
    pub weights: u64,
    /// Keys and values of the context.
    pub context: u64,
    /// The calculation, the vocabulary and the server itself.
    pub rest: u64,
}

impl Need {
    /// All together.
    pub const fn sum(self) -> u64 {
        self.weights.saturating_add(self.context).saturating_add(self.rest)
    }
}

/// Tokens that are calculated side by side (`--ubatch-size`).
const BATCH: u64 = 512;
/// The most values and the longest text that a header of a sane file has.
const MOST_VALUES: u64 = 4096;
const LONGEST: u64 = 1 << 20;
/// The most of a file that its header may take, bytes. A vocabulary of 262144 tokens takes 7 MiB.
const HEADER: u64 = 256 << 20;

impl Gguf {
    /// The name of the packing, as llama.cpp's `enum llama_ftype` has them; `None` of one that is newer than this list.
    pub fn quantization(&self) -> Option<&'static str> {
        Some(match self.file_type? {
            0 => "F32",
            1 => "F16",
            2 => "Q4_0",
            3 => "Q4_1",
            7 => "Q8_0",
            8 => "Q5_0",
            9 => "Q5_1",
            10 => "Q2_K",
            11 => "Q3_K_S",
            12 => "Q3_K_M",
            13 => "Q3_K_L",
            14 => "Q4_K_S",
            15 => "Q4_K_M",
            16 => "Q5_K_S",
            17 => "Q5_K_M",
            18 => "Q6_K",
            19 => "IQ2_XXS",
            20 => "IQ2_XS",
            21 => "Q2_K_S",
            22 => "IQ3_XS",
            23 => "IQ3_XXS",
            24 => "IQ1_S",
            25 => "IQ4_NL",
            26 => "IQ3_S",
            27 => "IQ3_M",
            28 => "IQ2_S",
            29 => "IQ2_M",
            30 => "IQ4_XS",
            31 => "IQ1_M",
            32 => "BF16",
            _ => return None,
        })
    }

    /// What it needs for so many tokens of context in all, at most: keys and values at 16 bits in every layer, though some models
    /// keep only a window in most of them.
    pub fn need(&self, tokens: u64) -> Need {
        let heads: u64 = match self.kv_heads.as_slice() {
            [one] => one.saturating_mul(self.layers),
            each => each.iter().fold(0, |sum, heads| sum.saturating_add(*heads)),
        };
        let per_token =
            heads.saturating_mul(self.key_length.saturating_add(self.value_length)).saturating_mul(2);
        // Buffers of a batch between the layers, the vocabulary's tables, and the server: measured, see docs/containers.md.
        let wide = self.embedding.saturating_mul(6).saturating_add(self.feed_forward.saturating_mul(2));
        let rest = (BATCH * 4).saturating_mul(wide).saturating_add(self.vocabulary.saturating_mul(160));
        Need {
            weights: self.file_bytes,
            context: per_token.saturating_mul(tokens),
            rest: rest.saturating_add(64 << 20),
        }
    }
}

/// Reads a header. The error is what is wrong with the file.
pub fn parse(from: impl Read, file_bytes: u64) -> io::Result<Gguf> {
    let mut reader = Reader { from: from.take(HEADER) };
    if &reader.bytes::<4>()? != b"GGUF" {
        return Err(wrong(t!("it is no GGUF file")));
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(wrong(t!("it is GGUF version {version}; 2 and 3 are known", version = version)));
    }
    let _tensors = reader.u64()?;
    let values = reader.u64()?;
    if values > MOST_VALUES {
        return Err(wrong(t!("its header has {count} values", count = values)));
    }
    let mut found = Gguf { file_bytes, ..Gguf::default() };
    let (mut heads, mut rope) = (0, 0);
    for _ in 0..values {
        let name = reader.text()?;
        let value = reader.value()?;
        let key = name.split_once('.').map_or("", |(_, key)| key);
        match (name.as_str(), &value) {
            ("general.architecture", Value::Text(text)) => found.architecture.clone_from(text),
            ("general.name", Value::Text(text)) => found.name.clone_from(text),
            ("general.file_type", value) => found.file_type = Some(value.number()),
            ("tokenizer.ggml.tokens", Value::Array(count, _)) => found.vocabulary = *count,
            _ if name.starts_with("general.") || name.starts_with("tokenizer.") => {}
            (_, value) => match key {
                "block_count" => found.layers = value.number(),
                "embedding_length" => found.embedding = value.number(),
                "feed_forward_length" => found.feed_forward = value.largest(),
                "context_length" => found.context = value.number(),
                "attention.head_count" => heads = value.largest(),
                "attention.head_count_kv" => found.kv_heads = value.numbers(),
                "attention.key_length" => found.key_length = value.number(),
                "attention.value_length" => found.value_length = value.number(),
                "rope.dimension_count" => rope = value.number(),
                "vocab_size" if found.vocabulary == 0 => found.vocabulary = value.number(),
                _ => {}
            },
        }
    }
    if found.layers == 0 || found.embedding == 0 || heads == 0 {
        return Err(wrong(t!("its header does not tell the model's layers")));
    }
    // Where it does not tell, each head has keys and values of its own.
    if found.kv_heads.is_empty() {
        found.kv_heads = vec![heads];
    }
    let of_a_head = if rope > 0 { rope.max(found.embedding / heads) } else { found.embedding / heads };
    for length in [&mut found.key_length, &mut found.value_length] {
        if *length == 0 {
            *length = of_a_head;
        }
    }
    Ok(found)
}

fn wrong(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

enum Value {
    Number(u64),
    Text(String),
    /// How many; and their values where they are few whole numbers.
    Array(u64, Vec<u64>),
    Other,
}

impl Value {
    fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }

    fn numbers(&self) -> Vec<u64> {
        match self {
            Self::Number(number) => vec![*number],
            Self::Array(_, numbers) => numbers.clone(),
            _ => Vec::new(),
        }
    }

    fn largest(&self) -> u64 {
        self.numbers().into_iter().max().unwrap_or(0)
    }
}

struct Reader<R> {
    from: io::Take<R>,
}

impl<R: Read> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|_| wrong(t!("its header ends in the middle")))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.from).take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(wrong(t!("its header ends in the middle"))) }
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.u64()?;
        if length > LONGEST {
            return Err(wrong(t!("its header has a text of {count} bytes", count = length)));
        }
        let mut bytes = Vec::new();
        (&mut self.from).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(wrong(t!("its header ends in the middle")));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn value(&mut self) -> io::Result<Value> {
        let kind = self.u32()?;
        self.of_kind(kind)
    }

    fn of_kind(&mut self, kind: u32) -> io::Result<Value> {
        Ok(match kind {
            // Unsigned and signed, of 8, 16, 32 and 64 bits; those below 0 mean nothing to us.
            0 | 7 => Value::Number(self.bytes::<1>()?[0].into()),
            1 => Value::Number(u64::try_from(i8::from_le_bytes(self.bytes()?)).unwrap_or(0)),
            2 => Value::Number(u16::from_le_bytes(self.bytes()?).into()),
            3 => Value::Number(u64::try_from(i16::from_le_bytes(self.bytes()?)).unwrap_or(0)),
            4 => Value::Number(self.u32()?.into()),
            5 => Value::Number(u64::try_from(i32::from_le_bytes(self.bytes()?)).unwrap_or(0)),
            10 => Value::Number(self.u64()?),
            11 => Value::Number(u64::try_from(i64::from_le_bytes(self.bytes()?)).unwrap_or(0)),
            6 => {
                self.skip(4)?;
                Value::Other
            }
            12 => {
                self.skip(8)?;
                Value::Other
            }
            8 => Value::Text(self.text()?),
            9 => self.array()?,
            other => {
                return Err(wrong(t!("its header has a value of the unknown type {kind}", kind = other)));
            }
        })
    }

    fn array(&mut self) -> io::Result<Value> {
        let (kind, count) = (self.u32()?, self.u64()?);
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            // Texts have lengths of their own; each is read past. Arrays in arrays are in no known file.
            8 => {
                for _ in 0..count {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
                return Ok(Value::Array(count, Vec::new()));
            }
            other => {
                return Err(wrong(t!("its header has a value of the unknown type {kind}", kind = other)));
            }
        };
        if count > MOST_VALUES || kind == 6 || kind == 12 {
            self.skip(count.saturating_mul(width))?;
            return Ok(Value::Array(count, Vec::new()));
        }
        let mut numbers = Vec::new();
        for _ in 0..count {
            if let Value::Number(number) = self.of_kind(kind)? {
                numbers.push(number);
            }
        }
        Ok(Value::Array(count, numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header as the format's description has it.
    fn header(values: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        for (name, kind, value) in values {
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        }
        bytes
    }

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }

    fn llama() -> Vec<u8> {
        let u32 = |n: u32| n.to_le_bytes().to_vec();
        let tokens: Vec<u8> =
            [8_u32.to_le_bytes().to_vec(), 3_u64.to_le_bytes().to_vec(), text("a"), text("b"), text("c")]
                .concat();
        header(&[
            ("general.architecture", 8, text("llama")),
            ("general.name", 8, text("Llama 3 8B")),
            ("llama.block_count", 4, u32(32)),
            ("llama.embedding_length", 4, u32(4096)),
            ("llama.feed_forward_length", 4, u32(14336)),
            ("llama.attention.head_count", 4, u32(32)),
            ("llama.attention.head_count_kv", 4, u32(8)),
            ("llama.rope.freq_base", 6, 500_000_f32.to_le_bytes().to_vec()),
            ("tokenizer.ggml.tokens", 9, tokens),
        ])
    }

    #[test]
    fn eight_billion_parameters() {
        let found = parse(llama().as_slice(), 4_700_000_000).unwrap();
        assert_eq!((found.architecture.as_str(), found.layers, found.vocabulary), ("llama", 32, 3));
        assert_eq!((found.key_length, found.value_length), (128, 128));
        // 32 layers, 8 heads, 256 numbers of 2 bytes: 128 KiB a token.
        assert_eq!(found.need(4096).context, 512 << 20);
        assert_eq!(found.need(4096).weights, 4_700_000_000);
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind() {
        let whole = llama();
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut], 1).is_err(), "{cut}");
        }
        assert!(parse(&b"GGML"[..], 1).is_err());
        // Lengths that no file has.
        for at in [8, 16, 24] {
            let mut bad = whole.clone();
            bad[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            let answer = parse(bad.as_slice(), 1);
            assert!(at == 8 || answer.is_err(), "{at}");
        }
        let none = header(&[("general.architecture", 8, text("bert"))]);
        assert!(parse(none.as_slice(), 1).unwrap_err().to_string().contains("layers"));
    }
}
