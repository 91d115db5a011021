//! What a model is, read from its files without loading it: architecture, number of parameters, precision, licence.
//!
//! Invariant: only headers are read, so this is quick for a model of any size; what a file does not say is `None`,
//! never a guess.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use candle_core::pickle::PthTensors;
use serde::Serialize;
use serde_json::Value;

use super::layout;
use crate::files::ModelFiles;

/// A safetensors header above this is not one.
const LARGEST_HEADER: u64 = 100 << 20;

/// What the files of a model say of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// The class in transformers, such as `MarianMTModel`.
    pub architecture: Option<String>,
    /// The family, `model_type` in config.json.
    pub family: Option<String>,
    /// Numbers in the weights, those that are shared counted once.
    pub parameters: Option<u64>,
    /// How they are stored, such as `F16`; the most frequent if there are several.
    pub precision: Option<String>,
    /// The licence at the head of the model card.
    pub license: Option<String>,
    /// Bytes of all files.
    pub size: u64,
    /// Each file.
    pub files: Vec<FileFacts>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// Reads the facts of a model.
///
/// # Errors
/// When config.json is no JSON, or a weight file's header is damaged.
pub fn facts(files: &ModelFiles) -> Result<Facts> {
    let config = files.json("config.json")?.unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let sized = files.names().map(|name| Ok(FileFacts { name: name.to_owned(), size: size(files, name)? }));
    let sized = sized.collect::<Result<Vec<_>>>()?;
    let (parameters, precision) = count(files)?;
    Ok(Facts {
        architecture: text(config.get("architectures").and_then(|all| all.get(0))),
        family: text(config.get("model_type")),
        parameters,
        precision,
        license: card_license(files),
        size: sized.iter().map(|file| file.size).sum(),
        files: sized,
    })
}

fn size(files: &ModelFiles, name: &str) -> Result<u64> {
    match files.path(name) {
        Some(path) => Ok(path.metadata().with_context(|| format!("cannot read `{}`", path.display()))?.len()),
        None => Ok(files.embedded_bytes(name).map_or(0, |bytes| bytes.len() as u64)),
    }
}

/// The `license:` line in the YAML head of the model card.
pub(super) fn card_license(files: &ModelFiles) -> Option<String> {
    let card = files.has("README.md").then(|| files.read("README.md").ok()).flatten()?;
    let card = String::from_utf8_lossy(&card);
    let head = card.strip_prefix("---")?.split("\n---").next()?;
    let license = head.lines().find_map(|line| line.strip_prefix("license:"))?.trim().trim_matches(['"', '\'']);
    (!license.is_empty()).then(|| license.to_lowercase())
}

/// Numbers in all weight files, and their most frequent type.
fn count(files: &ModelFiles) -> Result<(Option<u64>, Option<String>)> {
    let mut types: Vec<(String, u64)> = Vec::new();
    for name in layout::weight_files(files) {
        let damaged = || format!("`{name}` of the model `{}` is damaged\nhint: kortom models verify", files.name());
        let counted = if name.ends_with(".safetensors") { safetensors(files, &name) } else { pickle(files, &name) };
        for (dtype, numbers) in counted.with_context(damaged)? {
            match types.iter_mut().find(|(known, _)| *known == dtype) {
                Some((_, sum)) => *sum += numbers,
                None => types.push((dtype, numbers)),
            }
        }
    }
    let most = types.iter().max_by_key(|(_, numbers)| *numbers).map(|(dtype, _)| dtype.clone());
    Ok((most.is_some().then(|| types.iter().map(|(_, numbers)| numbers).sum()), most))
}

fn safetensors(files: &ModelFiles, name: &str) -> Result<Vec<(String, u64)>> {
    let header = match files.path(name) {
        None => header_of(files.embedded_bytes(name).unwrap_or_default())?,
        Some(path) => header_of(File::open(path)?)?,
    };
    let tensors = header.as_object().context("the header is no object")?;
    let tensors = tensors.iter().filter(|(name, _)| *name != "__metadata__");
    let counted = tensors.map(|(_, tensor)| {
        let shape = tensor.get("shape").and_then(Value::as_array)?;
        let numbers = shape.iter().try_fold(1_u64, |product, side| product.checked_mul(side.as_u64()?))?;
        Some((tensor.get("dtype")?.as_str()?.to_owned(), numbers))
    });
    counted.collect::<Option<Vec<_>>>().context("the header lists a tensor without shape or type")
}

/// Eight bytes of length, then JSON.
fn header_of(mut reader: impl Read) -> Result<Value> {
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    anyhow::ensure!(length <= LARGEST_HEADER, "the header claims to have {length} bytes");
    let mut header = Vec::new();
    let read = reader.take(length).read_to_end(&mut header)?;
    anyhow::ensure!(read as u64 == length, "the header ends after {read} of {length} bytes");
    Ok(serde_json::from_slice(&header)?)
}

/// In a pickle, tied weights are listed under each of their names but point at one place in one storage.
fn pickle(files: &ModelFiles, name: &str) -> Result<Vec<(String, u64)>> {
    let path = files.path(name).context("no such file on disk")?;
    let tensors = PthTensors::new(path, None)?;
    let mut seen = BTreeSet::new();
    let once =
        tensors.tensor_infos().values().filter(|tensor| seen.insert((&tensor.path, tensor.layout.start_offset())));
    Ok(once.map(|tensor| (tensor.dtype.as_str().to_uppercase(), tensor.layout.shape().elem_count() as u64)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::bundled;

    #[test]
    fn the_bundled_model_has_eight_million_numbers() {
        let facts = facts(&bundled()).unwrap();
        assert_eq!(facts.architecture.as_deref(), Some("MarianMTModel"));
        assert!((7_500_000..8_500_000).contains(&facts.parameters.unwrap()), "{:?}", facts.parameters);
        assert_eq!(facts.precision.as_deref(), Some("F16"));
        assert_eq!(facts.files.len(), bundled().names().count());
    }

    #[test]
    fn a_header_that_lies_is_an_error() {
        for bytes in [&b"\xff\xff\xff\xff\xff\xff\xff\xff{}"[..], b"\x05\0\0\0\0\0\0\0{}", b"\x01"] {
            assert!(header_of(bytes).is_err());
        }
    }

    #[test]
    fn the_licence_is_the_one_at_the_head_of_the_card() {
        let folder = tempfile::tempdir().unwrap();
        let license = |card: &str| {
            std::fs::write(folder.path().join("config.json"), "{}").unwrap();
            std::fs::write(folder.path().join("README.md"), card).unwrap();
            card_license(&ModelFiles::folder(folder.path(), "x", None).unwrap())
        };
        assert_eq!(license("---\nlanguage:\n- nl\nlicense: \"CC-BY-4.0\"\n---\n# x").as_deref(), Some("cc-by-4.0"));
        assert_eq!(license("# x\nlicense: mit\n"), None);
    }
}
