//! Medians and quartiles of samples.

use std::fmt;

/// The median and the quartiles of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Returns the spread of these figures, if there are any.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        let quartile = |nth: usize| {
            let (at, rest) = (last * nth / 4, last * nth % 4);
            let next = figures[(at + 1).min(last)];
            figures[at] + (next - figures[at]) * [0.0, 0.25, 0.5, 0.75][rest]
        };
        Some(Self { low: quartile(1), median: quartile(2), high: quartile(3) })
    }
}

/// Formats it as in `1.08 (1.05–1.12)`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quartiles_lie_between_the_figures() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0]).map(|spread| spread.to_string()).as_deref(), Some("3.00 (3.00–3.00)"));
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).expect("there are some");
        assert_eq!((spread.low, spread.median, spread.high), (1.75, 2.5, 3.25));
    }
}
