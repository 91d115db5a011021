//! Numbers and addresses as they are typed on the command line.
//!
//! Invariant: what is out of range is refused with the bound that it breaks.

use std::net::{IpAddr, Ipv4Addr};

/// A whole number above zero.
pub fn at_least_one(typed: &str) -> Result<usize, String> {
    match typed.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

/// The most threads that a run may have: more than any machine has cores, and few enough to start at once.
pub const MOST_THREADS: usize = 1024;

/// A number of threads.
pub fn threads(typed: &str) -> Result<usize, String> {
    match at_least_one(typed)? {
        count if count > MOST_THREADS => {
            Err(format!("it must be at most {MOST_THREADS}; more than the cores gains nothing"))
        }
        count => Ok(count),
    }
}

/// An address to listen on, or `localhost` for the usual one of this machine.
pub fn host(typed: &str) -> Result<IpAddr, String> {
    if typed.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    typed.parse().map_err(|_| "it must be an address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_this_machine() {
        assert_eq!(host("LocalHost"), Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(host("::1").map(|address| address.is_loopback()), Ok(true));
        assert!(host("example.org").is_err_and(|told| told.contains("127.0.0.1")));
    }

    #[test]
    fn threads_are_as_many_as_a_machine_can_have() {
        assert_eq!([threads("1"), threads("1024")], [Ok(1), Ok(1024)]);
        assert!(threads("0").is_err_and(|told| told == "it must be at least 1"));
        assert!(threads("1025").is_err_and(|told| told.starts_with("it must be at most 1024")));
    }
}
