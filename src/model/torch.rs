//! PyTorch checkpoints: the locations of the tensors in a `pytorch_model.bin`. Both formats of the Hub are read: the zip
//! archive (since PyTorch 1.6), and the older sequence of pickles, which most older translation models still have.
//!
//! A pickle is a program. candle's reader builds its result without running anything. Every class that it names must be
//! one of the few that make up a tensor; anything else is refused by name.

use std::collections::HashMap;
use std::io::{BufRead, Cursor, Read};

use anyhow::{Context, Result, bail, ensure};
use candle_core::DType;
use candle_core::pickle::{Object, Stack};

use super::storage::TensorLocation;
use crate::error::{Explain, WithHint};

const HINT: &str = "the file is damaged or not a PyTorch checkpoint; fetch it again, or take its safetensors";

/// The beginning of a checkpoint in the older format, `torch.serialization.MAGIC_NUMBER` as pickled.
const LEGACY: [u8; 14] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Start and size, in bytes, of each storage in the file, by its key.
type Storages = HashMap<String, (usize, usize)>;

/// The tensors of a checkpoint file: for each its location, or its storage class if that is not of a floating point type.
pub(super) fn locations(bytes: &[u8]) -> Result<Vec<(String, Result<TensorLocation, String>)>> {
    let (object, storages) = if bytes.starts_with(b"PK") {
        archive(bytes)?
    } else if bytes.starts_with(&LEGACY) {
        legacy(bytes)?
    } else {
        bail!("neither a zip archive nor a pickle of PyTorch's".with_hint(HINT));
    };
    let mut locations = Vec::new();
    for (name, value) in state_dict(object)? {
        if let Object::Unicode(name) = name
            && let Some(tensor) = tensor(value).with_context(|| format!("in the tensor `{name}`"))?
        {
            let Some(dtype) = dtype(&tensor.class) else {
                locations.push((name, Err(tensor.class)));
                continue;
            };
            let storage = storages.get(&tensor.storage);
            let &(start, length) = storage.explain(|| format!("the data of `{name}` is missing").with_hint(HINT))?;
            let size = dtype.size_in_bytes();
            let offset = tensor.offset.checked_mul(size).filter(|&offset| offset <= length);
            let offset = offset.explain(|| format!("`{name}` begins outside its data").with_hint(HINT))?;
            let location =
                TensorLocation { dtype, shape: tensor.shape, strides: tensor.strides, start: start + offset };
            ensure!(
                location.extent().is_some_and(|extent| extent <= length - offset),
                format!("`{name}` is larger than its data").with_hint(HINT)
            );
            locations.push((name, Ok(location)));
        }
    }
    ensure!(!locations.is_empty(), "the checkpoint holds no tensors by name".with_hint(HINT));
    Ok(locations)
}

/// The pickle and the storages of a zip archive. Storages are not compressed, so they can be mapped.
fn archive(bytes: &[u8]) -> Result<(Object, Storages)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| anyhow::anyhow!(format!("{error}").with_hint(HINT)))?;
    let mut object = None;
    let mut storages = Storages::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| anyhow::anyhow!(format!("{error}").with_hint(HINT)))?;
        let name = entry.name().map_err(|error| anyhow::anyhow!(format!("{error}").with_hint(HINT)))?.into_owned();
        if name.ends_with("/data.pkl") {
            let mut pickle = Vec::new();
            entry.read_to_end(&mut pickle)?;
            object = Some(unpickle(&mut Cursor::new(pickle))?);
        } else if let Some((_, key)) = name.rsplit_once("/data/") {
            ensure!(
                entry.compression() == zip::CompressionMethod::Stored,
                format!("`{name}` is compressed, which PyTorch never does").with_hint(HINT)
            );
            let start = entry.data_start().explain(|| format!("`{name}` has no data").with_hint(HINT))?;
            storages.insert(key.to_owned(), (start as usize, entry.size() as usize));
        }
    }
    Ok((object.explain(|| "the archive has no `data.pkl`".with_hint(HINT))?, storages))
}

/// The pickle and the storages of the older format: magic number, version, system, state, list of storage keys. Then, for
/// each key, the number of elements (eight bytes) and the elements.
fn legacy(bytes: &[u8]) -> Result<(Object, Storages)> {
    let mut cursor = Cursor::new(bytes);
    // Skips the magic number and its full stop; as a number it is longer than candle's reader accepts.
    cursor.set_position(LEGACY.len() as u64 + 1);
    for _ in 0..2 {
        unpickle(&mut cursor)?;
    }
    let object = unpickle(&mut cursor)?;
    let Object::List(keys) = unpickle(&mut cursor)? else { bail!("the list of storages is missing".with_hint(HINT)) };
    let mut sizes = HashMap::new();
    storage_sizes(&object, &mut sizes);
    let mut storages = Storages::new();
    let mut at = cursor.position() as usize;
    for key in keys {
        let Object::Unicode(key) = key else { bail!("a storage without a name".with_hint(HINT)) };
        let count = bytes.get(at..at + 8).and_then(|count| count.try_into().ok()).map(u64::from_le_bytes);
        let count = count.explain(|| "the file ends before its data".with_hint(HINT))? as usize;
        let size = sizes.get(&key).copied().unwrap_or(1);
        let length = count.checked_mul(size).filter(|length| length.checked_add(at + 8).is_some());
        let length = length.explain(|| format!("a storage of {count} elements").with_hint(HINT))?;
        ensure!(at + 8 + length <= bytes.len(), "the file ends in the middle of its data".with_hint(HINT));
        storages.insert(key, (at + 8, length));
        at += 8 + length;
    }
    Ok((object, storages))
}

fn unpickle(reader: &mut impl BufRead) -> Result<Object> {
    let mut stack = Stack::empty();
    stack.read_loop(reader).map_err(|error| anyhow::anyhow!(format!("{error}").with_hint(HINT)))?;
    stack.finalize().map_err(|error| anyhow::anyhow!(format!("{error}").with_hint(HINT)))
}

/// Collects the element sizes of all storages that an object names.
fn storage_sizes(object: &Object, sizes: &mut HashMap<String, usize>) {
    match object {
        Object::PersistentLoad(id) => {
            if let Object::Tuple(id) = id.as_ref()
                && let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = &id[..]
            {
                sizes.insert(key.clone(), element_size(class_name));
            }
        }
        Object::Tuple(items) | Object::List(items) => items.iter().for_each(|item| storage_sizes(item, sizes)),
        Object::Dict(items) => items.iter().for_each(|(_, value)| storage_sizes(value, sizes)),
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            storage_sizes(callable, sizes);
            storage_sizes(args, sizes);
        }
        _ => {}
    }
}

/// The floating point type of a storage class; `None` for others (position ids, masks), which no layer reads.
fn dtype(storage: &str) -> Option<DType> {
    match storage {
        "FloatStorage" => Some(DType::F32),
        "HalfStorage" => Some(DType::F16),
        "BFloat16Storage" => Some(DType::BF16),
        "DoubleStorage" => Some(DType::F64),
        _ => None,
    }
}

fn element_size(storage: &str) -> usize {
    match storage {
        "ComplexDoubleStorage" => 16,
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "FloatStorage" | "IntStorage" | "QInt32Storage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        // ByteStorage, CharStorage, BoolStorage, QInt8Storage, QUInt8Storage.
        _ => 1,
    }
}

/// The dictionary of tensors, even if it is wrapped in a training checkpoint.
fn state_dict(object: Object) -> Result<Vec<(Object, Object)>> {
    refuse_code(&object)?;
    let object = match object {
        // A dictionary with attributes (`_metadata`).
        Object::Build { callable, .. } => *callable,
        object => object,
    };
    let Object::Dict(mut entries) = object else {
        bail!("the checkpoint is not a dictionary of tensors".with_hint(HINT))
    };
    for key in ["state_dict", "model_state_dict", "model"] {
        if let Some(at) = entries.iter().position(|(name, _)| *name == Object::Unicode(key.to_owned()))
            && matches!(entries[at].1, Object::Dict(_) | Object::Build { .. })
        {
            return state_dict(entries.swap_remove(at).1);
        }
    }
    Ok(entries)
}

/// Refuses a pickle that calls anything but constructors of tensors.
fn refuse_code(object: &Object) -> Result<()> {
    match object {
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            refuse_code(callable)?;
            refuse_code(args)
        }
        Object::Class { module_name, class_name } => {
            let known = matches!(
                (module_name.as_str(), class_name.as_str()),
                ("collections", "OrderedDict" | "defaultdict")
                    | ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor" | "_rebuild_parameter")
                    | ("torch._tensor", "_rebuild_from_type_v2")
                    | ("torch.nn.parameter", "Parameter")
                    | ("torch", "Tensor" | "device" | "Size")
            ) || module_name == "torch" && class_name.ends_with("Storage");
            ensure!(
                known,
                format!("the pickle wants to run `{module_name}.{class_name}`, which no checkpoint of weights needs; refused").with_hint("do not use this file; take the model from a source you trust, as safetensors"));
            Ok(())
        }
        Object::PersistentLoad(id) => refuse_code(id),
        Object::Tuple(items) | Object::List(items) => items.iter().try_for_each(refuse_code),
        Object::Dict(items) => items.iter().try_for_each(|(key, value)| {
            refuse_code(key)?;
            refuse_code(value)
        }),
        _ => Ok(()),
    }
}

/// A tensor as a pickle describes it.
struct PickledTensor {
    storage: String,
    /// The class of its storage, which determines the type of its elements.
    class: String,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The tensor that `_rebuild_tensor_v2(storage, offset, shape, strides, …)` describes; `None` for other objects.
fn tensor(object: Object) -> Result<Option<PickledTensor>> {
    let Object::Reduce { callable, args } = object else { return Ok(None) };
    let (Object::Class { class_name, .. }, Object::Tuple(mut args)) = (*callable, *args) else { return Ok(None) };
    match class_name.as_str() {
        "_rebuild_parameter" if !args.is_empty() => return tensor(args.swap_remove(0)),
        "_rebuild_from_type_v2" if args.len() >= 3 => {
            let args = Box::new(args.swap_remove(2));
            let callable =
                Object::Class { module_name: "torch._utils".into(), class_name: "_rebuild_tensor_v2".into() };
            return tensor(Object::Reduce { callable: Box::new(callable), args });
        }
        "_rebuild_tensor_v2" | "_rebuild_tensor" => {}
        _ => return Ok(None),
    }
    let [Object::PersistentLoad(id), offset, shape, strides, ..] = &args[..] else {
        bail!("a tensor in an unknown form".with_hint(HINT));
    };
    let Object::Tuple(id) = id.as_ref() else { bail!("a storage in an unknown form".with_hint(HINT)) };
    let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = &id[..] else {
        bail!("a storage in an unknown form".with_hint(HINT));
    };
    let (shape, strides) = (sizes(shape)?, sizes(strides)?);
    ensure!(shape.len() == strides.len(), "a shape and strides that do not fit".with_hint(HINT));
    let offset = size(offset)?;
    Ok(Some(PickledTensor { storage: key.clone(), class: class_name.clone(), offset, shape, strides }))
}

fn sizes(object: &Object) -> Result<Vec<usize>> {
    match object {
        Object::Tuple(items) => items.iter().map(size).collect(),
        _ => bail!("a shape in an unknown form".with_hint(HINT)),
    }
}

fn size(object: &Object) -> Result<usize> {
    match object {
        Object::Int(value) => usize::try_from(*value).ok(),
        Object::Long(value) => usize::try_from(*value).ok(),
        _ => None,
    }
    .explain(|| "a negative or unknown size".with_hint(HINT))
}
