//! The best tokens of logits that lie on a GPU, found with candle's operations.
//!
//! Responsible for leaving the matrix on the device; only one small tensor is copied back. candle sorts short rows only.
//! So the greatest logits are found in two or more stages: first the blocks with the greatest maxima, then the greatest
//! logits in these blocks.
//! Invariant: the tokens are the same as on the CPU, among equals the lower id first; sums differ by rounding only.

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor};

use super::{ExpSum, RowTop, check};

/// Most tokens that are found on the device: few enough that their blocks have far fewer columns than a row.
pub(super) const MOST: usize = 128;
/// Most columns that candle sorts, one thread for each.
const SORTED: usize = 1024;
/// Number of exponentials that are added in f32, before their sums are added in f64.
const BLOCK: usize = 256;

/// The best tokens and the sum of exponentials of each row, for `k` up to [`MOST`]; see [`super::Logits::top_k`].
pub(super) fn top_k(logits: &Tensor, k: usize, edited: &[Vec<u32>]) -> Result<Vec<RowTop>> {
    let (rows, v) = logits.dims2()?;
    let k = k.min(v);
    let logits = padded(logits, BLOCK)?.to_dtype(DType::F32)?;
    let apart = set_aside(&logits, edited)?;
    let best = greatest(&logits, k.max(1))?;
    let values = logits.gather(&best, 1)?;
    let max = values.narrow(1, 0, 1)?;
    // A row with nothing above minus infinity has the sum 0.
    let exponents = logits.broadcast_sub(&max.maximum(f32::MIN)?)?.exp()?;
    let sums = exponents.reshape((rows, logits.dim(1)? / BLOCK, BLOCK))?.sum(2)?.to_dtype(DType::F64)?;
    let mut parts = vec![sums.sum_keepdim(1)?, best.to_dtype(DType::F64)?, values.to_dtype(DType::F64)?];
    if let Some(apart) = apart {
        parts.push(apart.to_dtype(DType::F64)?);
    }
    let found: Vec<Vec<f64>> = Tensor::cat(&parts, 1)?.to_vec2()?;
    found.iter().zip(edited).map(|(row, edited)| found_in(row, k, edited.len())).collect()
}

/// Reads one row of the tensor that was copied back: the sum, the best tokens, their logits, and the logits that were set
/// aside.
fn found_in(row: &[f64], k: usize, edited: usize) -> Result<RowTop> {
    let asked = k.max(1);
    let (tokens, rest) = row[1..].split_at(asked);
    let (values, apart) = rest.split_at(asked);
    let rest = ExpSum { max: values[0] as f32, sum: row[0] };
    let apart: Vec<f32> = apart[..edited].iter().map(|&x| x as f32).collect();
    check(&rest, &apart)?;
    let best = tokens.iter().zip(values).take(k).map(|(&token, &x)| (token as u32, x as f32));
    Ok(RowTop { top: best.filter(|&(_, x)| x > f32::NEG_INFINITY).collect(), rest, edited: apart })
}

/// Sets the edited logits aside: returns them as `[rows, most]`, and writes minus infinity over them in `logits`. Rows
/// that have fewer repeat their last one.
fn set_aside(logits: &Tensor, edited: &[Vec<u32>]) -> Result<Option<Tensor>> {
    let most = edited.iter().map(Vec::len).max().unwrap_or(0);
    if most == 0 {
        return Ok(None);
    }
    // In a row without edits, 0 is added to token 0, so that nothing changes.
    let place = |row: &Vec<u32>, i: usize| row.get(i).or(row.last()).copied().unwrap_or(0);
    let places: Vec<u32> = edited.iter().flat_map(|row| (0..most).map(move |i| place(row, i))).collect();
    let places = Tensor::from_vec(places, (edited.len(), most), logits.device())?;
    let added = |row: &Vec<u32>| if row.is_empty() { 0.0 } else { f32::NEG_INFINITY };
    let added: Vec<f32> = edited.iter().flat_map(|row| vec![added(row); most]).collect();
    let apart = logits.gather(&places, 1)?;
    let masked = (&apart + Tensor::from_vec(added, (edited.len(), most), logits.device())?)?;
    logits.scatter_set(&places, &masked, 1)?;
    Ok(Some(apart))
}

/// The columns of the `k` greatest values of each row, best first, and the lower first among equals: `[rows, n]` to
/// `[rows, k]`. `k` must be at most `n` and at most [`MOST`].
fn greatest(values: &Tensor, k: usize) -> Result<Tensor> {
    let (rows, n) = values.dims2()?;
    let block = n.div_ceil(SORTED).next_power_of_two();
    if block == 1 {
        return sorted(values, k);
    }
    let values = padded(values, block)?;
    let maxima = values.reshape((rows, values.dim(1)? / block, block))?.max(2)?;
    // The `k` blocks with the greatest maxima contain the `k` greatest values. They are sorted by position, so that among
    // equals the lower column comes first.
    let blocks = greatest(&maxima, k)?;
    let blocks = blocks.gather(&blocks.arg_sort_last_dim(true)?, 1)?;
    let inside = Tensor::arange(0, block as u32, values.device())?;
    let columns = (blocks.unsqueeze(2)? * block as f64)?.broadcast_add(&inside.reshape((1, 1, block))?)?;
    let columns = columns.reshape((rows, k * block))?;
    let best = greatest(&values.gather(&columns, 1)?, k)?;
    Ok(columns.gather(&best, 1)?)
}

/// [`greatest`] by sorting. candle's sort leaves the order of equal values undefined, so they are made unequal first:
/// between two neighbouring f32 values, f64 has a value for each column.
fn sorted(values: &Tensor, k: usize) -> Result<Tensor> {
    /// Subtracted once per column, relative to a value's size: over all columns less than half the distance of
    /// neighbouring f32 values, and far more than the rounding of f64.
    const STEP: f64 = 1.0 / (1u64 << 43) as f64;
    /// The distance of neighbouring f32 values at 0.
    const LEAST: f64 = f32::MIN_POSITIVE as f64 * f32::EPSILON as f64;
    let values = values.to_dtype(DType::F64)?.maximum(f64::from(f32::MIN))?;
    let columns = Tensor::arange(0, values.dim(D::Minus1)? as u32, &Device::Cpu)?.to_dtype(DType::F64)?;
    let columns = (columns * STEP)?.unsqueeze(0)?.to_device(values.device())?;
    let keys = (&values - (values.abs()? + LEAST)?.broadcast_mul(&columns)?)?;
    Ok(keys.arg_sort_last_dim(false)?.narrow(1, 0, k)?.contiguous()?)
}

/// A copy with minus infinity in additional columns, up to a multiple of `block`; at least one column is added.
fn padded(values: &Tensor, block: usize) -> Result<Tensor> {
    let (rows, n) = values.dims2()?;
    let filler = Tensor::full(f32::NEG_INFINITY, (rows, block - n % block), values.device())?;
    Ok(Tensor::cat(&[values, &filler.to_dtype(values.dtype())?], 1)?)
}

#[cfg(test)]
mod tests {
    use super::super::super::noise;
    use super::super::row_top;
    use super::*;

    /// Rows with many equals and some logits at minus infinity.
    fn logits(rows: usize, v: usize, dtype: DType) -> Tensor {
        let mut values: Vec<f32> = noise(rows * v, v as u64).iter().map(|x| (x * 40.0).round() / 4.0).collect();
        values.iter_mut().step_by(11).for_each(|x| *x = f32::NEG_INFINITY);
        Tensor::from_vec(values, (rows, v), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    fn assert_same(found: &[RowTop], expected: &[RowTop], what: &str) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.top, expected.top, "{what}");
            assert_eq!(found.edited, expected.edited, "{what}");
            let (found, expected) = (found.rest.log_with(&[]), expected.rest.log_with(&[]));
            assert!(
                found.to_bits() == expected.to_bits() || (found - expected).abs() < 1e-6,
                "{what}: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn finds_what_the_kernel_of_the_cpu_finds() {
        for v in [1, 7, 256, 1024, 1025, 5000, 70_001] {
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let logits = logits(3, v, dtype);
                let edits: [Vec<u32>; 3] = [(0..v as u32).step_by(3).take(40).collect(), vec![], vec![v as u32 - 1]];
                for edits in [edits, [vec![], vec![], vec![]]] {
                    for k in [0, 1, 2, 8, 50, MOST] {
                        let what = format!("{k} of {v} in {dtype:?}, {} edited", edits[0].len());
                        let before: Vec<Vec<f32>> = logits.to_dtype(DType::F32).unwrap().to_vec2().unwrap();
                        let rows = before.iter().zip(&edits);
                        let expected: Vec<RowTop> = rows.map(|(row, edits)| row_top(row, k, edits).unwrap()).collect();
                        assert_same(&top_k(&logits, k, &edits).unwrap(), &expected, &what);
                        let after: Vec<Vec<f32>> = logits.to_dtype(DType::F32).unwrap().to_vec2().unwrap();
                        assert_eq!(before, after, "{what}: the logits were changed");
                    }
                }
            }
        }
    }

    #[test]
    fn of_equals_the_lower_token_comes_first() {
        for value in [0.0, -3.5, 1e-40, f32::MAX, 17.0] {
            let mut row = vec![value; 9000];
            let highest = value >= f32::MAX;
            row[4000] = if highest { value } else { value + value.abs().max(1e-40) };
            let logits = Tensor::from_vec(row, (1, 9000), &Device::Cpu).unwrap();
            let found: Vec<Vec<u32>> = greatest(&logits, 5).unwrap().to_vec2().unwrap();
            let expected = if highest { vec![0, 1, 2, 3, 4] } else { vec![4000, 0, 1, 2, 3] };
            assert_eq!(found, [expected], "{value}");
        }
    }

    #[test]
    fn neighbours_stay_in_their_order() {
        let values: Vec<f32> = (0..1000u32).map(|i| f32::from_bits(0x3fff_fe00 + i)).collect();
        for sign in [1.0, -1.0] {
            let row: Vec<f32> = values.iter().map(|x| x * sign).collect();
            let found: Vec<Vec<u32>> =
                greatest(&Tensor::from_vec(row, (1, 1000), &Device::Cpu).unwrap(), 3).unwrap().to_vec2().unwrap();
            assert_eq!(found, [if sign > 0.0 { [999, 998, 997] } else { [0, 1, 2] }]);
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for bad in [f32::NAN, f32::INFINITY] {
            for edited in [vec![], vec![1, 2], vec![1, 500]] {
                let mut row = noise(3000, 1);
                row[500] = bad;
                let logits = Tensor::from_vec(row, (1, 3000), &Device::Cpu).unwrap();
                let error = top_k(&logits, 4, std::slice::from_ref(&edited)).unwrap_err().to_string();
                assert!(error.contains("not finite") && error.contains("hint:"), "{bad}, {edited:?}");
            }
        }
        let nothing = Tensor::full(f32::NEG_INFINITY, (1, 600), &Device::Cpu).unwrap();
        let found = &top_k(&nothing, 2, &[vec![]]).unwrap()[0];
        assert_eq!((found.top.len(), found.rest), (0, ExpSum { max: f32::NEG_INFINITY, sum: 0.0 }));
    }
}
