//! Parsing a SentencePiece model file: the parts of its protocol buffer that segmentation needs.
//!
//! Invariant: a [`ModelProto`] is complete (every piece has its bytes, its score and its kind), or parsing fails. No
//! length in the file is used before it is compared with the number of bytes left. What the fields mean belongs to
//! `sentencepiece`. Forty lines of wire format are less to maintain than a protocol buffer library and its generated
//! code.

use anyhow::{Context, Result, bail, ensure};

/// The purpose of a piece of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Byte,
    Unused,
}

/// One piece of the vocabulary.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProtoPiece<'a> {
    pub text: &'a str,
    pub score: f32,
    pub kind: PieceKind,
}

/// The segmentation algorithm that the model was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Unigram,
    Bpe,
}

/// How text is normalized before it is segmented.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // The fields are those of the file.
pub(super) struct NormalizerSpec {
    pub charsmap: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespaces: bool,
    pub escape_whitespaces: bool,
    pub whitespace_as_suffix: bool,
}

/// The contents of a SentencePiece model file.
#[derive(Clone, Debug)]
pub(super) struct ModelProto<'a> {
    pub pieces: Vec<ProtoPiece<'a>>,
    pub algorithm: Algorithm,
    pub byte_fallback: bool,
    pub unk_surface: String,
    pub normalizer: NormalizerSpec,
}

impl<'a> ModelProto<'a> {
    /// Parses the bytes of a `.spm` or `.model` file.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut proto = Self {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            byte_fallback: false,
            unk_surface: " \u{2047} ".to_owned(),
            normalizer: NormalizerSpec {
                charsmap: Vec::new(),
                add_dummy_prefix: true,
                remove_extra_whitespaces: true,
                escape_whitespaces: true,
                whitespace_as_suffix: false,
            },
        };
        let mut reader = WireReader(bytes);
        while let Some((field, value)) = reader.next_field()? {
            match (field, value) {
                (1, WireValue::Bytes(bytes)) => {
                    let index = proto.pieces.len();
                    proto.pieces.push(piece(bytes).with_context(|| format!("piece {index} is broken"))?);
                }
                (2, WireValue::Bytes(bytes)) => proto.trainer(bytes)?,
                (3, WireValue::Bytes(bytes)) => proto.normalizer(bytes)?,
                (5, WireValue::Bytes(bytes)) => refuse_denormalizer(bytes)?,
                _ => {}
            }
        }
        ensure!(!proto.pieces.is_empty(), "it holds no pieces");
        Ok(proto)
    }

    fn trainer(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = WireReader(bytes);
        while let Some((field, value)) = reader.next_field()? {
            match (field, value) {
                (3, WireValue::Integer(1)) => self.algorithm = Algorithm::Unigram,
                (3, WireValue::Integer(2)) => self.algorithm = Algorithm::Bpe,
                (3, WireValue::Integer(other)) => {
                    bail!("its algorithm is number {other}, neither unigram (1) nor BPE (2)")
                }
                (24, WireValue::Integer(flag)) => self.normalizer.whitespace_as_suffix = flag != 0,
                (35, WireValue::Integer(flag)) => self.byte_fallback = flag != 0,
                (44, WireValue::Bytes(text)) => string(text)?.clone_into(&mut self.unk_surface),
                _ => {}
            }
        }
        Ok(())
    }

    fn normalizer(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = WireReader(bytes);
        while let Some((field, value)) = reader.next_field()? {
            match (field, value) {
                (2, WireValue::Bytes(charsmap)) => self.normalizer.charsmap = charsmap.to_vec(),
                (3, WireValue::Integer(flag)) => self.normalizer.add_dummy_prefix = flag != 0,
                (4, WireValue::Integer(flag)) => self.normalizer.remove_extra_whitespaces = flag != 0,
                (5, WireValue::Integer(flag)) => self.normalizer.escape_whitespaces = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

fn piece(bytes: &[u8]) -> Result<ProtoPiece<'_>> {
    let mut piece = ProtoPiece { text: "", score: 0.0, kind: PieceKind::Normal };
    let mut reader = WireReader(bytes);
    while let Some((field, value)) = reader.next_field()? {
        match (field, value) {
            (1, WireValue::Bytes(text)) => piece.text = string(text)?,
            (2, WireValue::Fixed(bits)) => piece.score = f32::from_bits(bits),
            (3, WireValue::Integer(kind)) => piece.kind = piece_kind(kind)?,
            _ => {}
        }
    }
    ensure!(!piece.text.is_empty(), "it has no text");
    ensure!(piece.score.is_finite(), "its score is {}", piece.score);
    Ok(piece)
}

fn piece_kind(number: u64) -> Result<PieceKind> {
    Ok(match number {
        1 => PieceKind::Normal,
        2 => PieceKind::Unknown,
        3 => PieceKind::Control,
        4 => PieceKind::UserDefined,
        5 => PieceKind::Unused,
        6 => PieceKind::Byte,
        other => bail!("its kind is number {other}, of 1 to 6"),
    })
}

/// Refuses rules that rewrite the output, which no published translation model has and which are not supported.
fn refuse_denormalizer(bytes: &[u8]) -> Result<()> {
    let mut reader = WireReader(bytes);
    while let Some((field, value)) = reader.next_field()? {
        if let (2, WireValue::Bytes(charsmap)) = (field, value) {
            ensure!(charsmap.is_empty(), "it has denormalization rules, which are not supported");
        }
    }
    Ok(())
}

fn string(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("a text in it is not UTF-8")
}

/// The value of one field in the wire format.
enum WireValue<'a> {
    Integer(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    Other,
}

/// The rest of one message that is being read.
struct WireReader<'a>(&'a [u8]);

impl<'a> WireReader<'a> {
    /// The next field's number and value; `None` at the end of the message.
    fn next_field(&mut self) -> Result<Option<(u64, WireValue<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => WireValue::Integer(self.varint()?),
            1 => {
                self.take(8)?;
                WireValue::Other
            }
            2 => {
                let length = self.varint()?;
                WireValue::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => {
                let bytes = self.take(4)?;
                WireValue::Fixed(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            }
            other => bail!("it is not a protocol buffer (wire type {other})"),
        };
        ensure!(key >> 3 != 0, "it is not a protocol buffer (field number 0)");
        Ok(Some((key >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("it is not a protocol buffer (a number of more than 64 bits)")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(length) else {
            bail!("it is cut short: a field of {length} bytes where {} are left", self.0.len());
        };
        self.0 = rest;
        Ok(taken)
    }
}
