//! The tensors of a checkpoint by name, whichever format their files have: `model.safetensors`, `pytorch_model.bin`, or
//! shards of either with an index.
//!
//! Files are mapped, not read. A tensor's numbers are read when a layer is built from them, and their memory is given
//! back to the system after that, so that a model is not in memory twice while it is loaded. Nothing in a file is
//! trusted: every range is checked when the file is opened, so a [`View`] always lies inside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::error::{Error, Explain, WithHint};
use crate::files::ModelFiles;

use super::delta::Delta;
use super::storage::{FileBytes, TensorLocation, contiguous, map};
use super::torch;
use super::view::View;

/// All tensors of a checkpoint.
#[derive(Default)]
pub struct Weights {
    files: Vec<FileBytes>,
    /// Modification times of mapped files, and hashes of other things that the tensors depend on.
    stamps: Vec<String>,
    locations: BTreeMap<String, (usize, TensorLocation)>,
    /// Tensors that are not floating point numbers, with the name of their type.
    others: BTreeMap<String, String>,
    /// Low-rank products that an adapter adds, by the name of the tensor.
    deltas: BTreeMap<String, Vec<Delta>>,
}

impl Weights {
    /// Opens the weights of a model without its adapter: safetensors rather than pickles, and whole files rather than
    /// shards.
    ///
    /// # Errors
    /// When there are no weights, or a file is damaged; the message names the file.
    pub(super) fn open(files: &ModelFiles) -> Result<Self> {
        const SINGLE: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
        for file in [SINGLE[0], "model.safetensors.index.json", SINGLE[1], "pytorch_model.bin.index.json"] {
            if !files.has(file) {
                continue;
            }
            let names = if SINGLE.contains(&file) { vec![file.to_owned()] } else { shards(files, file)? };
            let mut weights = Self::default();
            for name in names {
                weights.read(files, &name)?;
            }
            return Ok(weights);
        }
        bail!(format!("the model `{}` has no weights", files.name()).with_hint(format!(
            "it needs `model.safetensors` or `pytorch_model.bin` \
             (or their shards with an index); it has {}",
            files.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        )))
    }

    /// Opens the tensors of one file.
    pub(super) fn single(files: &ModelFiles, name: &str) -> Result<Self> {
        let mut weights = Self::default();
        weights.read(files, name)?;
        Ok(weights)
    }

    /// Replaces tensors by tensors of `others`; `names` are pairs of the name there and the name here.
    pub(super) fn replace(&mut self, others: Self, names: &[(String, String)]) {
        for (name, target) in names {
            if let Some((file, location)) = others.locations.get(name) {
                self.locations.insert(target.clone(), (self.files.len() + file, location.clone()));
            }
        }
        self.files.extend(others.files);
        self.stamps.extend(others.stamps);
    }

    /// Gives the tensor `name` the additional name `other`.
    pub(super) fn alias(&mut self, name: &str, other: &str) {
        if let Some(location) = self.locations.get(name).cloned() {
            self.locations.insert(other.to_owned(), location);
        }
    }

    /// Adds low-rank products to the named tensors.
    pub(super) fn add(&mut self, deltas: Vec<(String, Delta)>) {
        for (name, delta) in deltas {
            self.deltas.entry(name).or_default().push(delta);
        }
    }

    /// Makes the fingerprint depend on these bytes too.
    pub(super) fn stamp(&mut self, bytes: &[u8]) {
        self.stamps.push(format!("{:x}", Sha256::digest(bytes)));
    }

    fn read(&mut self, files: &ModelFiles, name: &str) -> Result<()> {
        self.map(files, name)
            .with_context(|| format!("the weights `{name}` of the model `{}` cannot be used", files.name()))
    }

    fn map(&mut self, files: &ModelFiles, name: &str) -> Result<()> {
        let bytes = if let Some(bytes) = files.embedded_bytes(name) {
            FileBytes::Embedded(bytes)
        } else {
            let path = files.path(name).explain(|| {
                "no such file".with_hint(format!("fetch `{name}` into the model's folder, or pull the model again"))
            })?;
            let file = File::open(path)?;
            self.stamps.push(format!("{:?}", file.metadata()?.modified()?));
            FileBytes::Mapped(map(&file)?)
        };
        ensure!(!bytes.starts_with(LFS_POINTER), lfs_pointer());
        let index = self.files.len();
        let is_safetensors = std::path::Path::new(name).extension().is_some_and(|end| end == "safetensors");
        let locations = if is_safetensors { safetensors_locations(&bytes)? } else { torch::locations(&bytes)? };
        for (tensor, location) in locations {
            let location = match location {
                Ok(location) => location,
                Err(numbers) => {
                    self.others.insert(tensor, numbers);
                    continue;
                }
            };
            // Checked here, since views index the file without further checks.
            let end = location.extent().and_then(|extent| extent.checked_add(location.start));
            ensure!(end.is_some_and(|end| end <= bytes.len()), "`{tensor}` lies outside the file: it is cut short");
            self.locations.insert(tensor, (index, location));
        }
        self.files.push(bytes);
        Ok(())
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.locations.keys().map(String::as_str)
    }

    /// The number of parameters; a tensor that several names share counts once.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.counts().values().sum()
    }

    /// The type that most parameters are stored in; `None` if there are no parameters.
    #[must_use]
    pub fn precision(&self) -> Option<DType> {
        self.counts().into_iter().max_by_key(|&(_, count)| count).map(|(dtype, _)| dtype)
    }

    fn counts(&self) -> HashMap<DType, usize> {
        let mut seen = BTreeSet::new();
        let mut counts = HashMap::new();
        for (file, location) in self.locations.values() {
            if seen.insert((file, location.start)) {
                *counts.entry(location.dtype).or_insert(0) += location.shape.iter().product::<usize>();
            }
        }
        counts
    }

    /// A fingerprint of the files: a hash of their sizes and times, and of samples of their bytes. Hashing all bytes
    /// would take longer than quantising again.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        const SAMPLES: usize = 256;
        const SAMPLE: usize = 4096;
        let mut hash = Sha256::new();
        hash.update(self.stamps.join("\n"));
        for bytes in &self.files {
            hash.update((bytes.len() as u64).to_le_bytes());
            let step = (bytes.len() / SAMPLES).max(SAMPLE);
            for start in (0..bytes.len()).step_by(step) {
                let end = bytes.len().min(start + SAMPLE);
                hash.update(&bytes[start..end]);
                bytes.release(start, end - start);
            }
            hash.update(&bytes[bytes.len() - bytes.len().min(SAMPLE)..]);
        }
        format!("{:x}", hash.finalize())
    }

    /// The tensor with this name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<View<'_>> {
        let (file, location) = self.locations.get(name)?;
        let deltas = self.deltas.get(name).map_or(&[][..], Vec::as_slice);
        Some(View::new(location, &self.files[*file], deltas))
    }

    /// The first of these tensors that exists.
    ///
    /// # Errors
    /// When none exists; the message names tensors that do.
    pub fn first(&self, names: &[&str]) -> Result<View<'_>> {
        match names.iter().find_map(|name| self.find(name)) {
            Some(view) => Ok(view),
            None => bail!(self.missing(names)),
        }
    }

    /// The tensor with this name, which must have this shape.
    ///
    /// # Errors
    /// When the tensor is missing or has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<View<'_>> {
        let view = self.first(&[name])?;
        view.expect(name, shape)?;
        Ok(view)
    }

    fn missing(&self, names: &[&str]) -> Error {
        // A name in the checkpoint may lack the family's prefix, as in `Builder::find`.
        let is = |wanted: &str, name: &str| wanted.strip_suffix(name).is_some_and(|x| x.is_empty() || x.ends_with('.'));
        let other = |(name, _): &(&String, &String)| names.iter().any(|wanted| is(wanted, name));
        if let Some((name, numbers)) = self.others.iter().find(other) {
            return format!(
                "the tensor `{name}` is stored as `{numbers}`, but a layer is made of floating point numbers"
            )
            .with_hint("take the checkpoint in f32, f16 or bf16, not a quantised copy of it");
        }
        let wanted = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        // Names that share a prefix with the missing one help more than the first names of the alphabet.
        let mut stem = *names.first().unwrap_or(&"");
        let mut near = Vec::new();
        while let Some((shorter, _)) = stem.rsplit_once('.')
            && near.is_empty()
        {
            stem = shorter;
            near = self.names().filter(|name| name.contains(stem)).take(6).collect();
        }
        if near.is_empty() {
            near = self.names().take(6).collect();
        }
        let count = self.locations.len();
        let near = near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        format!("the weights have no tensor {wanted}; among the {count} they have: {near}")
            .with_hint("config.json and the weights must be of the same checkpoint, saved with its language-model head")
    }
}

/// What a pointer of Git LFS begins with: the small file that stands for a large one where that was not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

fn lfs_pointer() -> anyhow::Error {
    anyhow::anyhow!(
        "it is a pointer of Git LFS, which stands for the file but is not it"
            .with_hint("run `git lfs pull` in the model's folder, or fetch the model with `kortom models pull`")
    )
}

fn safetensors_locations(bytes: &[u8]) -> Result<Vec<(String, Result<TensorLocation, String>)>> {
    const HINT: &str = "the file is damaged or cut short; fetch it again";
    let (header, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| anyhow::anyhow!(format!("not a valid safetensors file: {error}").with_hint(HINT)))?;
    let data = header + 8;
    let mut locations = Vec::new();
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            safetensors::Dtype::F64 => DType::F64,
            // Integer tensors are position ids and the like, which no layer reads.
            other => {
                locations.push((name, Err(format!("{other:?}"))));
                continue;
            }
        };
        let location = TensorLocation {
            dtype,
            shape: info.shape.clone(),
            strides: contiguous(&info.shape),
            start: data + info.data_offsets.0,
        };
        let claimed = info.data_offsets.1 - info.data_offsets.0;
        ensure!(
            location.extent() == Some(claimed),
            format!("the header gives `{name}` {claimed} bytes, which is not its shape").with_hint(HINT)
        );
        locations.push((name, Ok(location)));
    }
    Ok(locations)
}

fn shards(files: &ModelFiles, index: &str) -> Result<Vec<String>> {
    let map = files.json(index)?.unwrap_or_default();
    let map = map.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.with_context(|| format!("`{index}` of the model `{}` has no `weight_map`", files.name()))?;
    let names: BTreeSet<String> = map.values().filter_map(|file| file.as_str().map(str::to_owned)).collect();
    let missing: Vec<&String> = names.iter().filter(|name| !files.has(name)).collect();
    ensure!(
        missing.is_empty(),
        format!("the model `{}` lacks the shards {missing:?} that `{index}` names", files.name())
            .with_hint("pull the model again")
    );
    Ok(names.into_iter().collect())
}
