//! Where and in which type a model computes, and the sentence that says so.
//!
//! Invariant: what was asked for by name is taken or refused, never silently replaced; only `auto` chooses.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use candle_core::{DType, Device};

/// What a person asks for with `--device`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA when this build and machine have it, else the CPU.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA card of this number.
    Cuda(usize),
    /// The GPU of an Apple machine.
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            Some(("cuda", number)) => {
                number.parse().map(Self::Cuda).map_err(|_| format!("`{number}` is not the number of a card"))
            }
            _ => Err("expected auto, cpu, cuda, cuda:N or metal".to_owned()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// What a person asks for with `--compute-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ComputeType {
    /// f32 on the CPU, f16 on a card.
    #[default]
    Auto,
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Half the bits, the range of single precision.
    Bf16,
    /// Weights and activations in eight bits.
    Int8,
}

impl FromStr for ComputeType {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "f32" => Self::F32,
            "f16" => Self::F16,
            "bf16" => Self::Bf16,
            "int8" => Self::Int8,
            _ => return Err("expected auto, f32, f16, bf16 or int8".to_owned()),
        })
    }
}

impl fmt::Display for ComputeType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

/// A device and a type to compute in.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// The type of weights and activations on it.
    pub dtype: DType,
    /// Whether weight matrices are kept, and multiplied, in eight bits; all else stays in `dtype`.
    pub int8: bool,
    /// The folder in which eight-bit weights are stored, so that the next start is fast.
    pub cache: Option<PathBuf>,
    /// What was chosen and why, for people.
    pub sentence: String,
}

impl Placement {
    /// f32 on the CPU.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            int8: false,
            cache: None,
            sentence: "computing on the CPU in f32".to_owned(),
        }
    }

    /// Settles what was asked for.
    ///
    /// # Errors
    /// When this build or machine lacks the device, or the device lacks the type; with the way to get it.
    pub fn choose(device: DeviceChoice, compute: ComputeType) -> Result<Self> {
        match device {
            DeviceChoice::Cuda(number) => {
                if !cfg!(feature = "cuda") {
                    bail!(
                        "this build of kortom has no CUDA support\n\
                         hint: on a machine with the CUDA toolkit, `cargo install --path . --features cuda`; or use `--device cpu`"
                    );
                }
                on_card(Device::new_cuda(number), &format!("cuda:{number}"), compute)
            }
            DeviceChoice::Metal => {
                if !cfg!(feature = "metal") {
                    bail!(
                        "this build of kortom has no Metal support\n\
                         hint: on an Apple machine, `cargo install --path . --features metal`; or use `--device cpu`"
                    );
                }
                on_card(Device::new_metal(0), "metal", compute)
            }
            DeviceChoice::Auto if cfg!(feature = "cuda") => match Device::new_cuda(0) {
                Ok(card) => on_card(Ok(card), "cuda:0", compute),
                Err(error) => Ok(on_cpu(compute, &format!(" (no usable CUDA card: {error})"))),
            },
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(on_cpu(compute, "")),
        }
    }
}

fn on_cpu(compute: ComputeType, why: &str) -> Placement {
    let how = match compute {
        ComputeType::Auto | ComputeType::F32 => "f32".to_owned(),
        // Half types save memory on disk, not time on a CPU; computing wider is exact for the same weights.
        ComputeType::F16 | ComputeType::Bf16 => format!("f32, which holds every {compute} weight exactly"),
        ComputeType::Int8 => "int8".to_owned(),
    };
    let int8 = compute == ComputeType::Int8;
    let sentence = format!("computing on the CPU in {how}{why}");
    Placement { device: Device::Cpu, dtype: DType::F32, int8, cache: None, sentence }
}

fn on_card(card: candle_core::Result<Device>, name: &str, compute: ComputeType) -> Result<Placement> {
    let device = match card {
        Ok(device) => device,
        Err(error) => bail!(
            "the device `{name}` cannot be used: {error}\n\
             hint: `kortom doctor` says what this machine has; `--device cpu` always works"
        ),
    };
    let dtype = match compute {
        ComputeType::Auto | ComputeType::F16 => DType::F16,
        ComputeType::F32 => DType::F32,
        ComputeType::Bf16 => DType::BF16,
        ComputeType::Int8 => bail!("int8 is for the CPU only\nhint: on `{name}` use f16, bf16 or f32"),
    };
    let sentence = format!("computing on {name} in {}", dtype.as_str());
    Ok(Placement { device, dtype, int8: false, cache: None, sentence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_print() {
        for name in ["auto", "cpu", "cuda:3", "metal"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
        assert!("gpu".parse::<DeviceChoice>().is_err());
        for name in ["auto", "f32", "f16", "bf16", "int8"] {
            assert_eq!(name.parse::<ComputeType>().unwrap().to_string(), name);
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        let error = Placement::choose(DeviceChoice::Cuda(0), ComputeType::Auto).unwrap_err().to_string();
        assert!(error.contains("--features cuda"), "{error}");
    }
}
