//! A fixture with other weights, or the same under other names.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use kortom::files::ModelFiles;
use kortom::model::open_weights;
use tempfile::TempDir;

use super::checkpoint::Checkpoint;
use super::fixtures;

/// In a folder of its own, with everything but the weights as in the fixture.
pub struct Changed {
    pub folder: PathBuf,
    _place: TempDir,
}

impl Changed {
    pub fn new(name: &str, change: impl FnOnce(&mut HashMap<String, Tensor>)) -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(name);
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(fixtures().join(name)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            if !(file.contains(".safetensors") || file.contains(".bin")) || file.contains(".bpe.") {
                fs::copy(fixtures().join(name).join(&file), folder.join(&file)).unwrap();
            }
        }
        let weights = open_weights(&ModelFiles::folder(&fixtures().join(name), name, None).unwrap()).unwrap();
        let read = |name: &str| weights.find(name).unwrap().tensor(DType::F32, &Device::Cpu).unwrap();
        let mut tensors = weights.names().map(|name| (name.to_owned(), read(name))).collect();
        change(&mut tensors);
        candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
        Self { folder, _place: place }
    }

    pub fn checkpoint(&self, dtype: DType) -> Checkpoint {
        Checkpoint::load(&self.folder, dtype)
    }
}
