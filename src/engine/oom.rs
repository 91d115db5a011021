//! Out of memory: how devices report it, and loading a model elsewhere.

use anyhow::Result;

use crate::device::Placement;
use crate::error::{ErrorKind, Explain, WithHint};

/// Loads a model on its device; if a GPU that was chosen automatically is out of memory, on the fallback device.
pub(super) fn load_or_fall_back<T>(placement: &Placement, load: impl Fn(&Placement) -> Result<T>) -> Result<T> {
    match load(placement) {
        Err(error) if is_out_of_memory(&error) => match placement.fallback() {
            Some(fallback) => load(fallback),
            None => Err(error).explain(|| {
                "the device has not enough free memory"
                    .with_hint("`nvidia-smi` shows what uses a card; use a smaller model, or `--device cpu`")
                    .or_kind(ErrorKind::Device)
            }),
        },
        loaded => loaded,
    }
}

/// Whether an error means that a device has no memory left. candle has no error type for it, so the texts of the driver
/// and of cuBLAS are searched.
pub(super) fn is_out_of_memory(error: &anyhow::Error) -> bool {
    let signs = ["out_of_memory", "out of memory", "alloc_failed"];
    error.chain().any(|cause| {
        let text = cause.to_string().to_lowercase();
        signs.iter().any(|sign| text.contains(sign))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn a_gpu_without_memory_is_an_error_with_a_hint() {
        let gpu = Placement::new(Device::Cpu, DType::F16);
        for (said, hinted) in [
            ("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")", true),
            ("CublasError(CUBLAS_STATUS_ALLOC_FAILED)", true),
            ("`config.json` is damaged", false),
        ] {
            let error = load_or_fall_back(&gpu, |_| -> Result<()> { bail!("{said}") }).unwrap_err();
            assert_eq!(error.to_string().contains("hint: "), hinted, "{error}");
            assert_eq!(error.root_cause().to_string(), said);
        }
        assert_eq!(load_or_fall_back(&gpu, |placement| Ok(placement.dtype)).unwrap(), DType::F16);
    }
}
