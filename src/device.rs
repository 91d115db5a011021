//! The device and the type that a model computes with, and their description for users.
//!
//! Invariant: a device or type that was requested by name is used or refused, never silently replaced; only `auto` chooses.

mod gpu;
mod args;

use std::path::PathBuf;

use anyhow::{Result, bail};
use candle_core::{DType, Device};

use crate::error::{Error, WithHint};

pub use args::{ComputeType, DeviceChoice};
pub use gpu::GpuInfo;

/// A device and a type to compute in.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Placement {
    /// The device.
    pub device: Device,
    /// The type of weights and activations on it.
    pub dtype: DType,
    /// Whether weight matrices are stored and multiplied in int8; all else stays in `dtype`.
    pub int8: bool,
    /// The folder in which int8 weights are stored, so that the next start is fast.
    pub cache: Option<PathBuf>,
    /// What was chosen and why, for users.
    pub description: String,
    /// Whether the type was requested by name.
    dtype_requested: bool,
    /// The description for int8 in place of `dtype`; `None` where int8 may not be chosen.
    int8_description: Option<String>,
    /// The placement on the CPU for models that do not fit on the GPU; `None` where the device was requested by name.
    fallback: Option<Box<Self>>,
}

impl Placement {
    /// A placement on the CPU in f32.
    #[must_use]
    pub fn cpu() -> Self {
        Self::new(Device::Cpu, DType::F32)
    }

    /// A placement of this type on this device, treated as if both had been requested by name.
    #[must_use]
    pub fn new(device: Device, dtype: DType) -> Self {
        let place = if device.is_cpu() { "the CPU" } else { "the card" };
        let description = format!("computing on {place} in {}", dtype.as_str());
        Self {
            device,
            dtype,
            int8: false,
            cache: None,
            description,
            dtype_requested: true,
            int8_description: None,
            fallback: None,
        }
    }

    /// The placement for what the user requested.
    ///
    /// # Errors
    /// When this build or machine lacks the device, or the device lacks the type. The hint says how to get it.
    pub fn choose(device: DeviceChoice, compute: ComputeType) -> Result<Self> {
        match device {
            DeviceChoice::Cuda(number) => {
                if !cfg!(feature = "cuda") {
                    bail!("this build of kortom has no CUDA support".with_hint("on a machine with the CUDA toolkit, `cargo install --path . --features cuda`; or use `--device cpu`"));
                }
                on_gpu(gpu::open(number), &device, compute)
            }
            DeviceChoice::Metal => {
                if !cfg!(feature = "metal") {
                    bail!("this build of kortom has no Metal support".with_hint(
                        "on an Apple machine, `cargo install --path . --features metal`; or use `--device cpu`"
                    ));
                }
                on_gpu(Device::new_metal(0), &device, compute)
            }
            // int8 is computed on the CPU only.
            DeviceChoice::Auto if cfg!(feature = "cuda") && compute != ComputeType::Int8 => {
                Ok(if_usable(gpu::open(0), compute))
            }
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(on_cpu(compute, "")),
        }
    }

    /// The placement for a model that the device has no memory for; only `auto` has one.
    #[must_use]
    pub fn fallback(&self) -> Option<&Self> {
        self.fallback.as_deref()
    }

    /// This placement with a folder for int8 weights.
    #[must_use]
    pub fn with_cache(self, folder: Option<PathBuf>) -> Self {
        self.changed(&move |one| Self { cache: folder.clone(), ..one })
    }

    /// This placement without int8, unless int8 was requested by name.
    #[must_use]
    pub fn without_implicit_int8(self) -> Self {
        self.changed(&|one| Self { int8_description: None, ..one })
    }

    /// Applies a change to this placement and to its fallback.
    fn changed(mut self, change: &impl Fn(Self) -> Self) -> Self {
        self.fallback = self.fallback.map(|fallback| Box::new(fallback.changed(change)));
        change(self)
    }

    /// This placement for a model of a family that translates as well in int8. It is in int8 on the CPU if no type
    /// was requested; otherwise it is unchanged.
    #[must_use]
    pub fn with_int8(&self) -> Self {
        match &self.int8_description {
            Some(description) => {
                Self { int8: true, description: description.clone(), int8_description: None, ..self.clone() }
            }
            None => self.clone(),
        }
    }

    /// This placement for a model that overflows f16: f16 becomes bf16, or f32 where the device lacks bf16.
    ///
    /// # Errors
    /// When f16 was requested by name.
    pub fn with_wide_range(&self) -> Result<Self> {
        if self.dtype != DType::F16 {
            return Ok(self.clone());
        }
        if self.dtype_requested {
            bail!(
                "this model leaves the range of f16, which gives wrong texts"
                    .with_hint("use `--compute-type bf16` or `f32`, or leave it out")
            );
        }
        let dtype = if gpu::computes(DType::BF16, &self.device).is_ok() { DType::BF16 } else { DType::F32 };
        let description = format!("computing in {}, for this model leaves the range of f16", dtype.as_str());
        Ok(Self { dtype, description, ..self.clone() })
    }
}

/// The placement of `auto`: on the GPU if it can be used, else on the CPU.
fn if_usable(gpu: candle_core::Result<Device>, compute: ComputeType) -> Placement {
    match on_gpu(gpu, &DeviceChoice::Cuda(0), compute) {
        Ok(placement) => {
            let fallback = on_cpu(compute, ", for the card has not enough free memory for this model");
            Placement { fallback: Some(Box::new(fallback)), ..placement }
        }
        Err(error) => on_cpu(compute, &format!(", for {}", Error::from(error).message())),
    }
}

fn on_cpu(compute: ComputeType, why: &str) -> Placement {
    let how = match compute {
        ComputeType::Auto | ComputeType::F32 => "f32".to_owned(),
        // f16 and bf16 weights need less space on disk but save no time on a CPU, and f32 holds each of them exactly.
        ComputeType::F16 | ComputeType::Bf16 => format!("f32, which holds every {compute} weight exactly"),
        ComputeType::Int8 => "int8".to_owned(),
    };
    let int8 = compute == ComputeType::Int8;
    let dtype_requested = compute != ComputeType::Auto;
    let description = |how: &str| format!("computing on the CPU in {how}{why}");
    Placement {
        int8,
        description: description(&how),
        dtype_requested,
        int8_description: (!dtype_requested).then(|| description("int8")),
        ..Placement::cpu()
    }
}

fn on_gpu(gpu: candle_core::Result<Device>, name: &DeviceChoice, compute: ComputeType) -> Result<Placement> {
    let dtype = match compute {
        ComputeType::Auto | ComputeType::F16 => DType::F16,
        ComputeType::F32 => DType::F32,
        ComputeType::Bf16 => DType::BF16,
        ComputeType::Int8 => bail!("int8 is for the CPU only".with_hint(format!("on `{name}` use f16, bf16 or f32"))),
    };
    let tried = gpu.and_then(|device| gpu::computes(dtype, &device).map(|()| device));
    let device = match tried {
        Ok(device) => device,
        Err(error) => {
            let error = first_line(&error);
            bail!(
                format!("the device `{name}` cannot be used: {error}")
                    .with_hint(format!("{}; `--device cpu` always works", remedy(&error)))
            )
        }
    };
    let described = GpuInfo::of(&device).map_or_else(String::new, |card| format!(" ({card})"));
    let description = format!("computing on {name}{described} in {}", dtype.as_str());
    Ok(Placement { description, dtype_requested: compute != ComputeType::Auto, ..Placement::new(device, dtype) })
}

/// candle's message without the trace that it may add.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The hint for a message of the driver.
fn remedy(error: &str) -> &'static str {
    const KNOWN: [(&[&str], &str); 5] = [
        (&["NO_DEVICE"], "there is no NVIDIA card here, or its driver is not loaded; `nvidia-smi` should list it"),
        (&["INVALID_DEVICE"], "`nvidia-smi -L` lists the cards; the first is `cuda:0`"),
        (
            &["UNSUPPORTED_PTX_VERSION", "INSUFFICIENT_DRIVER", "SYSTEM_DRIVER_MISMATCH", "STUB_LIBRARY"],
            "the driver is older than the CUDA toolkit that this build was made with; update it, or build with an older one",
        ),
        (
            &["NO_BINARY_FOR_GPU", "INVALID_PTX", "INVALID_IMAGE", "NOT_FOUND", "UNSUPPORTED_ARCH"],
            "this build is for other cards; build it on this machine, or with CUDA_COMPUTE_CAP set to the card's own",
        ),
        (
            &["OUT_OF_MEMORY", "DEVICE_UNAVAILABLE", "NOT_INITIALIZED", "ALLOC_FAILED"],
            "another program uses the card or its memory; `nvidia-smi` shows which",
        ),
    ];
    let known = KNOWN.iter().find(|(signs, _)| signs.iter().any(|sign| error.contains(sign)));
    known.map_or("`kortom doctor` says what this machine has", |(_, remedy)| remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_computes_in_f16_unless_told_otherwise() {
        // The CPU stands in for a card: all that is asked of it here is to compute.
        let card = |compute| on_gpu(Ok(Device::Cpu), &DeviceChoice::Cuda(1), compute);
        for (compute, dtype) in [
            (ComputeType::Auto, DType::F16),
            (ComputeType::F16, DType::F16),
            (ComputeType::F32, DType::F32),
            (ComputeType::Bf16, DType::BF16),
        ] {
            let placement = card(compute).unwrap();
            assert_eq!(placement.dtype, dtype);
            assert_eq!(placement.description, format!("computing on cuda:1 in {}", dtype.as_str()));
        }
        assert!(card(ComputeType::Int8).unwrap_err().to_string().contains("hint: on `cuda:1` use f16"));
    }

    #[test]
    fn what_auto_took_can_be_given_up_for_the_cpu() {
        // The CPU stands in for a card here too.
        for compute in [ComputeType::Auto, ComputeType::Bf16] {
            let taken = if_usable(Ok(Device::Cpu), compute);
            assert!(taken.description.starts_with("computing on cuda:0 in "), "{}", taken.description);
            for placement in [&taken, &taken.with_wide_range().unwrap()] {
                let fallback = placement.fallback().unwrap();
                assert_eq!(fallback.dtype, DType::F32);
                assert!(fallback.description.ends_with("the card has not enough free memory for this model"));
                assert!(fallback.fallback().is_none());
            }
        }
        assert!(on_gpu(Ok(Device::Cpu), &DeviceChoice::Cuda(0), ComputeType::Auto).unwrap().fallback().is_none());
        let busy = candle_core::Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned()).bt();
        let refused = if_usable(Err(busy), ComputeType::Auto);
        assert_eq!(
            refused.description,
            "computing on the CPU in f32, for the device `cuda:0` cannot be used: \
             DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"
        );
        let int8 = Placement::choose(DeviceChoice::Auto, ComputeType::Int8).unwrap();
        assert!(int8.int8 && int8.device.is_cpu());
    }

    #[test]
    fn eight_bits_are_taken_where_nobody_named_a_type() {
        let folder = Some(PathBuf::from("weights"));
        let busy = || Err(candle_core::Error::Msg("a card that is busy".to_owned()));
        let taken = if_usable(busy(), ComputeType::Auto).with_cache(folder.clone()).with_int8();
        assert!(taken.int8 && taken.cache == folder);
        assert_eq!(
            taken.description,
            "computing on the CPU in int8, for the device `cuda:0` cannot be used: a card that is busy"
        );
        let dtype_requested = if_usable(busy(), ComputeType::F32);
        assert_eq!(dtype_requested.with_int8().description, dtype_requested.description);
        assert!(!Placement::cpu().with_int8().int8);
        let exact = |compute| if_usable(busy(), compute).without_implicit_int8().with_int8().int8;
        assert!(!exact(ComputeType::Auto) && exact(ComputeType::Int8));
        // A card stays what it is; the CPU to which a model goes for lack of memory takes eight bits too.
        let card = if_usable(Ok(Device::Cpu), ComputeType::Auto).with_cache(folder.clone());
        let fallback = card.fallback().unwrap().with_int8();
        assert!(fallback.int8 && fallback.cache == folder, "{}", fallback.description);
        assert!(!card.without_implicit_int8().fallback().unwrap().with_int8().int8);
    }

    #[test]
    fn a_model_of_wide_range_never_computes_in_f16() {
        let card = |compute| on_gpu(Ok(Device::Cpu), &DeviceChoice::Cuda(0), compute).unwrap();
        let widened = card(ComputeType::Auto).with_wide_range().unwrap();
        assert_eq!(widened.dtype, DType::BF16);
        assert_eq!(widened.description, "computing in bf16, for this model leaves the range of f16");
        let error = card(ComputeType::F16).with_wide_range().unwrap_err().to_string();
        assert!(error.contains("f16") && error.contains("hint: use `--compute-type bf16`"), "{error}");
        for same in [ComputeType::Bf16, ComputeType::F32] {
            let placement = card(same);
            assert_eq!(placement.with_wide_range().unwrap().description, placement.description);
        }
    }

    #[test]
    fn a_card_that_cannot_be_used_says_why_and_what_helps() {
        for (error, hint) in [
            ("DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")", "nvidia-smi` should list it"),
            ("DriverError(CUDA_ERROR_INVALID_DEVICE, \"invalid device ordinal\")", "the first is `cuda:0`"),
            ("DriverError(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, \"…\")", "the driver is older"),
            ("DriverError(CUDA_ERROR_NO_BINARY_FOR_GPU, \"…\") when loading affine", "CUDA_COMPUTE_CAP"),
            ("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")", "another program"),
            ("CublasError(CUBLAS_STATUS_NOT_INITIALIZED)", "another program"),
            ("something new", "`kortom doctor`"),
        ] {
            let traced = candle_core::Error::Msg(format!("{error}\n   0: a trace")).bt();
            let told = on_gpu(Err(traced), &DeviceChoice::Cuda(7), ComputeType::Auto).unwrap_err().to_string();
            let (line, hints) = told.split_once("\nhint: ").unwrap();
            assert_eq!(line, format!("the device `cuda:7` cannot be used: {error}"));
            assert!(hints.contains(hint) && hints.ends_with("`--device cpu` always works"), "{told}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        let error = Placement::choose(DeviceChoice::Cuda(0), ComputeType::Auto).unwrap_err().to_string();
        assert!(error.contains("--features cuda"), "{error}");
    }
}
