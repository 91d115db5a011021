//! Facts about a CUDA GPU that candle does not give. No other module calls the driver directly.

use std::fmt;

#[cfg(feature = "cuda")]
use candle_core::cuda_backend::cudarc::driver::{CudaContext, DriverError, sys};
use candle_core::{DType, Device, Result, Tensor};

/// Facts about a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuInfo {
    /// The name.
    pub name: String,
    /// The compute capability, major and minor.
    pub capability: (i32, i32),
    /// Free memory in bytes, with the memory that the driver keeps for this program's next tensors.
    pub free: usize,
    /// Memory in bytes.
    pub total: usize,
}

impl fmt::Display for GpuInfo {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
        let (major, minor) = self.capability;
        let (free, total) = (gibibytes(self.free), gibibytes(self.total));
        write!(f, "{}, compute capability {major}.{minor}, {free:.1} of {total:.1} GiB free", self.name)
    }
}

impl GpuInfo {
    /// The GPU behind a device, if it is one.
    #[cfg(feature = "cuda")]
    #[must_use]
    pub fn of(device: &Device) -> Option<Self> {
        let stream = device.as_cuda_device().ok()?.cuda_stream();
        let context = stream.context();
        let (free, total) = context.mem_get_info().ok()?;
        let free = free + kept(context);
        Some(Self { name: context.name().ok()?, capability: context.compute_capability().ok()?, free, total })
    }

    /// The GPU behind a device, if it is one.
    #[cfg(not(feature = "cuda"))]
    #[must_use]
    pub fn of(_device: &Device) -> Option<Self> {
        None
    }
}

/// Opens the CUDA GPU of this number, and computes something small on it.
///
/// # Errors
/// When there is no such GPU, or the driver or this build does not fit it.
pub(super) fn open(number: usize) -> Result<Device> {
    // One stream for the device, not one for each thread: the work of all threads is done in order.
    let device = Device::new_cuda_with_stream(number)?;
    #[cfg(feature = "cuda")]
    prepare(&device)?;
    computes(DType::F32, &device)?;
    Ok(device)
}

/// Computes a small product. Only this shows a driver that is too old, or a GPU that this build has no code for.
pub(super) fn computes(dtype: DType, device: &Device) -> Result<()> {
    let two = Tensor::ones((2, 2), dtype, device)?.affine(2.0, 0.0)?;
    let found = two.matmul(&two)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    if found == [[8.0, 8.0], [8.0, 8.0]] {
        return Ok(());
    }
    candle_core::bail!("2 · 2 + 2 · 2 is {found:?} there")
}

/// Sets up a GPU for many short steps: no event tracking, and freed memory stays with the program.
#[cfg(feature = "cuda")]
fn prepare(device: &Device) -> Result<()> {
    use candle_core::cuda_backend::WrapErr;

    let cuda = device.as_cuda_device()?;
    // SAFETY: events keep several streams in order; all work of this device is on the one stream made in `open`.
    unsafe { cuda.disable_event_tracking() };
    let stream = cuda.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(());
    }
    // Without this the driver takes freed memory back at every synchronisation, which is once a step.
    let mut threshold = u64::MAX;
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pointer is to a local of the type that the driver asks for with this attribute, and the pool belongs
    // to the device, which lives.
    unsafe { sys::cuMemPoolSetAttribute(pool(context).w()?, attribute, (&raw mut threshold).cast()).result().w() }
}

/// Bytes that were freed and that the driver keeps for this program. The driver does not count them as free.
#[cfg(feature = "cuda")]
fn kept(context: &CudaContext) -> usize {
    use sys::CUmemPool_attribute::{CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_MEMPOOL_ATTR_USED_MEM_CURRENT};

    let read = |pool, attribute| {
        let mut bytes = 0u64;
        // SAFETY: as in `prepare`.
        let read = unsafe { sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut bytes).cast()).result() };
        read.ok().map(|()| bytes)
    };
    let kept = pool(context).ok().and_then(|pool| {
        Some(
            read(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?
                .saturating_sub(read(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?),
        )
    });
    kept.unwrap_or(0) as usize
}

/// The pool in which tensors are allocated.
#[cfg(feature = "cuda")]
fn pool(context: &CudaContext) -> std::result::Result<sys::CUmemoryPool, DriverError> {
    let mut pool = std::ptr::null_mut();
    // SAFETY: the pointer is to a local of the type that the driver asks for.
    unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, context.cu_device()).result()? };
    Ok(pool)
}
