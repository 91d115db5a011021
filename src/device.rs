//! Where and in which type a model computes, and the sentence that says so.
//!
//! Invariant: what was asked for by name is taken or refused, never silently replaced; only `auto` chooses.

mod card;
mod choice;

use std::path::PathBuf;

use anyhow::{Result, bail};
use candle_core::{DType, Device};

pub use card::Card;
pub use choice::{ComputeType, DeviceChoice};

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
    /// Whether the type was asked for by name.
    named: bool,
    /// What to say instead where it computes in eight bits, if that is left open.
    eight_bits: Option<String>,
    /// The CPU, where nobody asked for this card by name.
    instead: Option<Box<Self>>,
}

impl Placement {
    /// f32 on the CPU.
    #[must_use]
    pub fn cpu() -> Self {
        Self::new(Device::Cpu, DType::F32)
    }

    /// This type on this device, as if it had been asked for by name.
    #[must_use]
    pub fn new(device: Device, dtype: DType) -> Self {
        let place = if device.is_cpu() { "the CPU" } else { "the card" };
        let sentence = format!("computing on {place} in {}", dtype.as_str());
        Self { device, dtype, int8: false, cache: None, sentence, named: true, eight_bits: None, instead: None }
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
                on_card(card::open(number), &device, compute)
            }
            DeviceChoice::Metal => {
                if !cfg!(feature = "metal") {
                    bail!(
                        "this build of kortom has no Metal support\n\
                         hint: on an Apple machine, `cargo install --path . --features metal`; or use `--device cpu`"
                    );
                }
                on_card(Device::new_metal(0), &device, compute)
            }
            // Eight bits are for the CPU.
            DeviceChoice::Auto if cfg!(feature = "cuda") && compute != ComputeType::Int8 => {
                Ok(if_usable(card::open(0), compute))
            }
            DeviceChoice::Auto | DeviceChoice::Cpu => Ok(on_cpu(compute, "")),
        }
    }

    /// Where to go on when the device turns out to have no memory for a model: only `auto` leaves that open.
    #[must_use]
    pub fn instead(&self) -> Option<&Self> {
        self.instead.as_deref()
    }

    /// The same, with a folder for eight-bit weights.
    #[must_use]
    pub fn with_cache(self, folder: Option<PathBuf>) -> Self {
        self.changed(&move |one| Self { cache: folder.clone(), ..one })
    }

    /// The same, but in eight bits only if they were asked for by name.
    #[must_use]
    pub fn exact(self) -> Self {
        self.changed(&|one| Self { eight_bits: None, ..one })
    }

    /// A change to this and to what it may be instead.
    fn changed(mut self, change: &impl Fn(Self) -> Self) -> Self {
        self.instead = self.instead.map(|instead| Box::new(instead.changed(change)));
        change(self)
    }

    /// The same for a model of a family that translates as well in eight bits: in these where that was left open, which it is
    /// on the CPU.
    #[must_use]
    pub fn with_eight_bits(&self) -> Self {
        match &self.eight_bits {
            Some(sentence) => Self { int8: true, sentence: sentence.clone(), eight_bits: None, ..self.clone() },
            None => self.clone(),
        }
    }

    /// The same for a model that leaves the range of f16: then in bf16, or where the device lacks that, in f32.
    ///
    /// # Errors
    /// When f16 was asked for by name.
    pub fn with_wide_range(&self) -> Result<Self> {
        if self.dtype != DType::F16 {
            return Ok(self.clone());
        }
        if self.named {
            bail!(
                "this model leaves the range of f16, which gives wrong texts\n\
                 hint: use `--compute-type bf16` or `f32`, or leave it out"
            );
        }
        let dtype = if card::computes(DType::BF16, &self.device).is_ok() { DType::BF16 } else { DType::F32 };
        let sentence = format!("computing in {}, for this model leaves the range of f16", dtype.as_str());
        Ok(Self { dtype, sentence, ..self.clone() })
    }
}

/// What `auto` makes of a card.
fn if_usable(card: candle_core::Result<Device>, compute: ComputeType) -> Placement {
    match on_card(card, &DeviceChoice::Cuda(0), compute) {
        Ok(placement) => {
            let instead = on_cpu(compute, ", for the card has not enough free memory for this model");
            Placement { instead: Some(Box::new(instead)), ..placement }
        }
        Err(error) => {
            let error = error.to_string();
            on_cpu(compute, &format!(", for {}", error.lines().next().unwrap_or_default()))
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
    let named = compute != ComputeType::Auto;
    let sentence = |how: &str| format!("computing on the CPU in {how}{why}");
    Placement {
        int8,
        sentence: sentence(&how),
        named,
        eight_bits: (!named).then(|| sentence("int8")),
        ..Placement::cpu()
    }
}

fn on_card(card: candle_core::Result<Device>, name: &DeviceChoice, compute: ComputeType) -> Result<Placement> {
    let dtype = match compute {
        ComputeType::Auto | ComputeType::F16 => DType::F16,
        ComputeType::F32 => DType::F32,
        ComputeType::Bf16 => DType::BF16,
        ComputeType::Int8 => bail!("int8 is for the CPU only\nhint: on `{name}` use f16, bf16 or f32"),
    };
    let tried = card.and_then(|device| card::computes(dtype, &device).map(|()| device));
    let device = match tried {
        Ok(device) => device,
        Err(error) => {
            let error = first_line(&error);
            bail!("the device `{name}` cannot be used: {error}\nhint: {}; `--device cpu` always works", remedy(&error))
        }
    };
    let described = Card::of(&device).map_or_else(String::new, |card| format!(" ({card})"));
    let sentence = format!("computing on {name}{described} in {}", dtype.as_str());
    Ok(Placement { sentence, named: compute != ComputeType::Auto, ..Placement::new(device, dtype) })
}

/// What candle says, without the trace that it may add.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// What helps against what the driver said.
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
        let card = |compute| on_card(Ok(Device::Cpu), &DeviceChoice::Cuda(1), compute);
        for (compute, dtype) in [
            (ComputeType::Auto, DType::F16),
            (ComputeType::F16, DType::F16),
            (ComputeType::F32, DType::F32),
            (ComputeType::Bf16, DType::BF16),
        ] {
            let placement = card(compute).unwrap();
            assert_eq!(placement.dtype, dtype);
            assert_eq!(placement.sentence, format!("computing on cuda:1 in {}", dtype.as_str()));
        }
        assert!(card(ComputeType::Int8).unwrap_err().to_string().contains("hint: on `cuda:1` use f16"));
    }

    #[test]
    fn what_auto_took_can_be_given_up_for_the_cpu() {
        // The CPU stands in for a card here too.
        for compute in [ComputeType::Auto, ComputeType::Bf16] {
            let taken = if_usable(Ok(Device::Cpu), compute);
            assert!(taken.sentence.starts_with("computing on cuda:0 in "), "{}", taken.sentence);
            for placement in [&taken, &taken.with_wide_range().unwrap()] {
                let instead = placement.instead().unwrap();
                assert_eq!(instead.dtype, DType::F32);
                assert!(instead.sentence.ends_with("the card has not enough free memory for this model"));
                assert!(instead.instead().is_none());
            }
        }
        assert!(on_card(Ok(Device::Cpu), &DeviceChoice::Cuda(0), ComputeType::Auto).unwrap().instead().is_none());
        let busy = candle_core::Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".to_owned()).bt();
        let refused = if_usable(Err(busy), ComputeType::Auto);
        assert_eq!(
            refused.sentence,
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
        let taken = if_usable(busy(), ComputeType::Auto).with_cache(folder.clone()).with_eight_bits();
        assert!(taken.int8 && taken.cache == folder);
        assert_eq!(
            taken.sentence,
            "computing on the CPU in int8, for the device `cuda:0` cannot be used: a card that is busy"
        );
        let named = if_usable(busy(), ComputeType::F32);
        assert_eq!(named.with_eight_bits().sentence, named.sentence);
        assert!(!Placement::cpu().with_eight_bits().int8);
        let exact = |compute| if_usable(busy(), compute).exact().with_eight_bits().int8;
        assert!(!exact(ComputeType::Auto) && exact(ComputeType::Int8));
        // A card stays what it is; the CPU to which a model goes for lack of memory takes eight bits too.
        let card = if_usable(Ok(Device::Cpu), ComputeType::Auto).with_cache(folder.clone());
        let instead = card.instead().unwrap().with_eight_bits();
        assert!(instead.int8 && instead.cache == folder, "{}", instead.sentence);
        assert!(!card.exact().instead().unwrap().with_eight_bits().int8);
    }

    #[test]
    fn a_model_of_wide_range_never_computes_in_f16() {
        let card = |compute| on_card(Ok(Device::Cpu), &DeviceChoice::Cuda(0), compute).unwrap();
        let widened = card(ComputeType::Auto).with_wide_range().unwrap();
        assert_eq!(widened.dtype, DType::BF16);
        assert_eq!(widened.sentence, "computing in bf16, for this model leaves the range of f16");
        let error = card(ComputeType::F16).with_wide_range().unwrap_err().to_string();
        assert!(error.contains("f16") && error.contains("hint: use `--compute-type bf16`"), "{error}");
        for same in [ComputeType::Bf16, ComputeType::F32] {
            let placement = card(same);
            assert_eq!(placement.with_wide_range().unwrap().sentence, placement.sentence);
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
            let told = on_card(Err(traced), &DeviceChoice::Cuda(7), ComputeType::Auto).unwrap_err().to_string();
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
