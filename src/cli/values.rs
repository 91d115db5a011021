//! Numbers as they are typed on the command line.
//!
//! Invariant: what is out of range is refused with the bound that it breaks.

/// A whole number above zero.
pub fn at_least_one(typed: &str) -> Result<usize, String> {
    match typed.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

/// A number.
pub fn finite(typed: &str) -> Result<f64, String> {
    typed.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "it must be a number".to_owned())
}

/// A number above zero.
pub fn positive(typed: &str) -> Result<f64, String> {
    let number = finite(typed)?;
    if number > 0.0 { Ok(number) } else { Err("it must be above 0".to_owned()) }
}

/// A number above zero, at most one.
pub fn share(typed: &str) -> Result<f64, String> {
    let number = positive(typed)?;
    if number <= 1.0 { Ok(number) } else { Err("it must be between 0 and 1".to_owned()) }
}
