//! The syntax of lists of processors.
//!
//! The macros share this file: `group-macros/src/cpus.rs` is a link to it. A package contains a copy.

/// Reads a list of processors, in the form that Linux has for it (`cpuset(7)`, "List format"): `0-3,8`.
pub(crate) fn cpus(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
        if first > last {
            return None;
        }
        cpus.extend(usize::from(first)..=usize::from(last));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::cpus;

    #[test]
    fn a_list_has_numbers_and_ranges() {
        assert_eq!(cpus("0"), Some(vec![0]));
        assert_eq!(cpus("0-3,8"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(cpus("7, 2-2"), Some(vec![7, 2]));
        for bad in ["", ",", "a", "-1", "3-1", "1-", "0,,2", "0-3:2", "65536"] {
            assert_eq!(cpus(bad), None, "{bad}");
        }
    }
}
