//! A CUDA card, as far as candle does not say it. The only place that talks to the driver by itself.

use std::fmt;

use candle_core::{DType, Device, Result, Tensor};

/// What is known of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Its compute capability, major and minor.
    pub capability: (i32, i32),
    /// Bytes of memory that nothing uses.
    pub free: usize,
    /// Bytes of memory.
    pub total: usize,
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
        let (major, minor) = self.capability;
        let (free, total) = (gibibytes(self.free), gibibytes(self.total));
        write!(f, "{}, compute capability {major}.{minor}, {free:.1} of {total:.1} GiB free", self.name)
    }
}

impl Card {
    /// The card behind a device, if there is one.
    #[cfg(feature = "cuda")]
    #[must_use]
    pub fn of(device: &Device) -> Option<Self> {
        let stream = device.as_cuda_device().ok()?.cuda_stream();
        let context = stream.context();
        let (free, total) = context.mem_get_info().ok()?;
        Some(Self { name: context.name().ok()?, capability: context.compute_capability().ok()?, free, total })
    }

    /// The card behind a device, if there is one.
    #[cfg(not(feature = "cuda"))]
    #[must_use]
    pub fn of(_device: &Device) -> Option<Self> {
        None
    }
}

/// The CUDA card of this number, made ready and tried.
pub(super) fn open(number: usize) -> Result<Device> {
    // A stream of its own, not the one of each thread: whatever threads use the device, its work is done in order.
    let device = Device::new_cuda_with_stream(number)?;
    #[cfg(feature = "cuda")]
    prepare(&device)?;
    computes(DType::F32, &device)?;
    Ok(device)
}

/// Computes something small: an old driver, or a card that this build has no code for, shows only then.
pub(super) fn computes(dtype: DType, device: &Device) -> Result<()> {
    let two = Tensor::ones((2, 2), dtype, device)?.affine(2.0, 0.0)?;
    let found = two.matmul(&two)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    if found == [[8.0, 8.0], [8.0, 8.0]] {
        return Ok(());
    }
    candle_core::bail!("2 · 2 + 2 · 2 is {found:?} there")
}

/// Leaves out what costs much between the steps of a decoder.
#[cfg(feature = "cuda")]
fn prepare(device: &Device) -> Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::sys;

    let cuda = device.as_cuda_device()?;
    // SAFETY: events keep several streams in order; all work of this device is on the one stream made in `open`.
    unsafe { cuda.disable_event_tracking() };
    let stream = cuda.cuda_stream();
    if !stream.context().has_async_alloc() {
        return Ok(());
    }
    // Else the driver takes back freed memory at every synchronisation, which is once a step.
    let mut pool = std::ptr::null_mut();
    let mut threshold = u64::MAX;
    // SAFETY: both pointers are to locals of the types that the driver asks for with this attribute, and the pool
    // belongs to the device, which lives.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&raw mut pool, stream.context().cu_device()).result().w()?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast()).result().w()
    }
}
