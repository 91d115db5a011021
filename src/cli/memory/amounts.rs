//! How ages and sizes are typed.

/// Days: `90`, `90d`, `12w`, `6m` or `1y`.
pub fn days(typed: &str) -> Result<u32, String> {
    let units = [("d", 1), ("w", 7), ("m", 30), ("y", 365)];
    amount(typed, &units)
        .and_then(|days| u32::try_from(days).ok())
        .ok_or_else(|| "it must be an age such as 90d, 12w or 1y".to_owned())
}

/// Bytes: `1000`, `200K`, `500M` or `2G`, in steps of 1024.
pub fn bytes(typed: &str) -> Result<u64, String> {
    let units = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)];
    amount(typed, &units).ok_or_else(|| "it must be a size such as 500M or 2G".to_owned())
}

/// A number of units; without a unit, of ones.
fn amount(typed: &str, units: &[(&str, u64)]) -> Option<u64> {
    let typed = typed.trim().to_ascii_lowercase();
    let unit = units.iter().find(|(unit, _)| typed.ends_with(unit));
    let number: u64 = typed.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    let (name, factor) = unit.copied().unwrap_or(("", 1));
    (typed == format!("{number}{name}")).then(|| number.checked_mul(factor)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_a_number_and_a_unit() {
        assert_eq!([days("90"), days("12w"), days("1Y")], [Ok(90), Ok(84), Ok(365)]);
        assert_eq!([bytes("10"), bytes("2k"), bytes("1G")], [Ok(10), Ok(2048), Ok(1 << 30)]);
        assert!(["", "d", "-1d", "1x", "1 d", "1.5d", "99999999999y"].iter().all(|bad| days(bad).is_err()));
        assert!(["", "M", "5T", "99999999999999999999G"].iter().all(|bad| bytes(bad).is_err()));
    }
}
