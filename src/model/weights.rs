//! The tensors of a checkpoint by name, whichever file format they lie in: `model.safetensors`,
//! `pytorch_model.bin`, or either in shards with an index.
//!
//! Files are mapped, not read: a tensor's numbers are touched when a layer is made of them, and given back to the
//! system after that, so that a model being loaded is not in memory twice. Nothing in a file is trusted: every
//! range is checked when the file is opened, so a `View` always lies inside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::ops::Deref;

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use memmap2::Mmap;
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::files::ModelFiles;

use super::adapter::{self, Delta};
use super::torch;
use super::view::View;

/// With a page that is touched Linux maps its neighbours, up to this multiple.
#[cfg(unix)]
const AROUND: usize = 1 << 16;

/// The bytes of one file.
pub(super) enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Gives the memory of a range back to the system, where it is mapped from a file.
    pub fn release(&self, start: usize, length: usize) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            let end = (start + length).next_multiple_of(AROUND).min(map.len());
            let start = start - start % AROUND;
            // SAFETY: the mapping is shared with the file and read-only, so a page that comes back holds what it held.
            // That a system may decline costs memory, and nothing else.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

/// Where one tensor lies. `offset` and `strides` count elements of `dtype` from `start`, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
    /// First byte of the tensor in the file.
    pub start: usize,
}

impl Place {
    /// Bytes from `start` to the end of the last element, or `None` when that overflows.
    pub fn extent(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let mut last = 0usize;
        for (&size, &stride) in self.shape.iter().zip(&self.strides) {
            last = last.checked_add((size - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)?.checked_mul(self.dtype.size_in_bytes())
    }
}

/// The bytes of a file, without reading it.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only; a file that another process cuts short while it is read is outside
    // what any reader of mapped files can defend against.
    unsafe { Mmap::map(file) }
}

/// All tensors of a checkpoint.
#[derive(Default)]
pub struct Weights {
    files: Vec<Bytes>,
    /// When each mapped file was written.
    stamps: Vec<String>,
    places: BTreeMap<String, (usize, Place)>,
    /// Tensors of numbers that are not floating point, with the name of their type.
    others: BTreeMap<String, String>,
    /// What an adapter adds to a tensor.
    deltas: BTreeMap<String, Vec<Delta>>,
}

impl Weights {
    /// Opens the weights of a model: safetensors before pickles, whole files before shards. An adapter of the model is
    /// merged into them.
    ///
    /// # Errors
    /// When there are none, a file is damaged, or an adapter does not fit; the message names the file.
    pub fn open(files: &ModelFiles) -> Result<Self> {
        let mut weights = Self::of_model(files)?;
        if let Some(adapter) = files.adapter() {
            adapter::merge(&mut weights, adapter, files)?;
        }
        Ok(weights)
    }

    fn of_model(files: &ModelFiles) -> Result<Self> {
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
        bail!(
            "the model `{}` has no weights\nhint: it needs `model.safetensors` or `pytorch_model.bin` \
             (or their shards with an index); it has {}",
            files.name(),
            files.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        )
    }

    /// The tensors of one file.
    pub(super) fn single(files: &ModelFiles, name: &str) -> Result<Self> {
        let mut weights = Self::default();
        weights.read(files, name)?;
        Ok(weights)
    }

    /// Puts tensors of others in the place of those of the second names.
    pub(super) fn replace(&mut self, others: Self, names: &[(String, String)]) {
        for (name, target) in names {
            if let Some((file, place)) = others.places.get(name) {
                self.places.insert(target.clone(), (self.files.len() + file, place.clone()));
            }
        }
        self.files.extend(others.files);
        self.stamps.extend(others.stamps);
    }

    /// The same tensor under one more name.
    pub(super) fn alias(&mut self, name: &str, other: &str) {
        if let Some(place) = self.places.get(name).cloned() {
            self.places.insert(other.to_owned(), place);
        }
    }

    /// Adds to tensors.
    pub(super) fn add(&mut self, deltas: Vec<(String, Delta)>) {
        for (name, delta) in deltas {
            self.deltas.entry(name).or_default().push(delta);
        }
    }

    /// Makes whatever else decides the tensors a part of the fingerprint.
    pub(super) fn stamp(&mut self, bytes: &[u8]) {
        self.stamps.push(format!("{:x}", Sha256::digest(bytes)));
    }

    fn read(&mut self, files: &ModelFiles, name: &str) -> Result<()> {
        self.map(files, name)
            .with_context(|| format!("the weights `{name}` of the model `{}` cannot be used", files.name()))
    }

    fn map(&mut self, files: &ModelFiles, name: &str) -> Result<()> {
        let bytes = if let Some(bytes) = files.embedded_bytes(name) {
            Bytes::Embedded(bytes)
        } else {
            let path = files.path(name).with_context(|| {
                format!("no such file\nhint: fetch `{name}` into the model's folder, or pull the model again")
            })?;
            let file = File::open(path)?;
            self.stamps.push(format!("{:?}", file.metadata()?.modified()?));
            Bytes::Mapped(map(&file)?)
        };
        let index = self.files.len();
        let is_safetensors = std::path::Path::new(name).extension().is_some_and(|end| end == "safetensors");
        let places = if is_safetensors { safetensors_places(&bytes)? } else { torch::places(&bytes)? };
        for (tensor, place) in places {
            let place = match place {
                Ok(place) => place,
                Err(numbers) => {
                    self.others.insert(tensor, numbers);
                    continue;
                }
            };
            let end = place.extent().and_then(|extent| extent.checked_add(place.start));
            ensure!(end.is_some_and(|end| end <= bytes.len()), "`{tensor}` lies outside the file: it is cut short");
            self.places.insert(tensor, (index, place));
        }
        self.files.push(bytes);
        Ok(())
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The number of parameters; tensors that lie in one place under several names count once.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.counts().values().sum()
    }

    /// The type that most parameters are stored in.
    #[must_use]
    pub fn precision(&self) -> Option<DType> {
        self.counts().into_iter().max_by_key(|&(_, count)| count).map(|(dtype, _)| dtype)
    }

    fn counts(&self) -> HashMap<DType, usize> {
        let mut seen = BTreeSet::new();
        let mut counts = HashMap::new();
        for (file, place) in self.places.values() {
            if seen.insert((file, place.start)) {
                *counts.entry(place.dtype).or_insert(0) += place.shape.iter().product::<usize>();
            }
        }
        counts
    }

    /// Names the contents of the files: a hash of their sizes and times, and of bytes from all over them. A hash of
    /// everything would take longer than what it saves.
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

    /// The tensor of this name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<View<'_>> {
        let (file, place) = self.places.get(name)?;
        let deltas = self.deltas.get(name).map_or(&[][..], Vec::as_slice);
        Some(View::new(place, &self.files[*file], deltas))
    }

    /// The first of several names that there is.
    ///
    /// # Errors
    /// When there is none of them; the message says what there is instead.
    pub fn first(&self, names: &[&str]) -> Result<View<'_>> {
        match names.iter().find_map(|name| self.find(name)) {
            Some(view) => Ok(view),
            None => bail!("{}", self.missing(names)),
        }
    }

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// When there is none, or it has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<View<'_>> {
        let view = self.first(&[name])?;
        view.expect(name, shape)?;
        Ok(view)
    }

    fn missing(&self, names: &[&str]) -> String {
        // Without the family's prefix too, as where such a tensor is looked for.
        let is = |wanted: &str, name: &str| wanted.strip_suffix(name).is_some_and(|x| x.is_empty() || x.ends_with('.'));
        let other = |(name, _): &(&String, &String)| names.iter().any(|wanted| is(wanted, name));
        if let Some((name, numbers)) = self.others.iter().find(other) {
            return format!(
                "the tensor `{name}` is stored as `{numbers}`, but a layer is made of floating point numbers\n\
                 hint: take the checkpoint in f32, f16 or bf16, not a quantised copy of it"
            );
        }
        let wanted = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        // The neighbours say more than the first names of the alphabet would.
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
        let count = self.places.len();
        let near = near.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        format!(
            "the weights have no tensor {wanted}; among the {count} they have: {near}\n\
             hint: config.json and the weights must be of the same checkpoint, saved with its language-model head"
        )
    }
}

/// Row-major strides.
pub(super) fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

fn safetensors_places(bytes: &[u8]) -> Result<Vec<(String, Result<Place, String>)>> {
    const HINT: &str = "hint: the file is damaged or cut short; fetch it again";
    let (header, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| anyhow::anyhow!("not a valid safetensors file: {error}\n{HINT}"))?;
    let data = header + 8;
    let mut places = Vec::new();
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            safetensors::Dtype::F64 => DType::F64,
            // Integer tensors are position ids and the like, which no layer reads.
            other => {
                places.push((name, Err(format!("{other:?}"))));
                continue;
            }
        };
        let place = Place {
            dtype,
            shape: info.shape.clone(),
            strides: contiguous(&info.shape),
            start: data + info.data_offsets.0,
        };
        let claimed = info.data_offsets.1 - info.data_offsets.0;
        ensure!(
            place.extent() == Some(claimed),
            "the header gives `{name}` {claimed} bytes, which is not its shape\n{HINT}"
        );
        places.push((name, Ok(place)));
    }
    Ok(places)
}

fn shards(files: &ModelFiles, index: &str) -> Result<Vec<String>> {
    let map = files.json(index)?.unwrap_or_default();
    let map = map.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.with_context(|| format!("`{index}` of the model `{}` has no `weight_map`", files.name()))?;
    let names: BTreeSet<String> = map.values().filter_map(|file| file.as_str().map(str::to_owned)).collect();
    let missing: Vec<&String> = names.iter().filter(|name| !files.has(name)).collect();
    ensure!(
        missing.is_empty(),
        "the model `{}` lacks the shards {missing:?} that `{index}` names\nhint: pull the model again",
        files.name()
    );
    Ok(names.into_iter().collect())
}
