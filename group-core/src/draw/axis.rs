//! One time axis for a start of milliseconds and a stop a week later: where something happens, time is drawn to scale, and
//! the quiet time between is cut out. Each stretch has a scale of its own, so that a short one is not lost beside a long
//! one.

use std::time::Duration;

use crate::base::text::Took;

/// The room that stands for time that is cut out.
const CUT: f64 = 92.0;

/// No stretch is narrower.
const NARROWEST: f64 = 80.0;

/// Two labels of the axis are at least so far apart.
const TICK: f64 = 80.0;

/// No more stretches are drawn: the first, and the last ones.
const MOST: usize = 12;

/// A stretch of time that is drawn to scale. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    pub(super) from: f64,
    to: f64,
    pub(super) x: f64,
    pub(super) width: f64,
}

#[derive(Debug)]
pub(super) struct Axis {
    pub(super) stretches: Vec<Stretch>,
}

impl Axis {
    /// An axis on which all of these stretches of time are to scale, which may overlap. There is at least one.
    pub(super) fn new(mut busy: Vec<(f64, f64)>, left: f64, width: f64) -> Self {
        busy.sort_by(|one, other| one.0.total_cmp(&other.0));
        let busy = few(merged(&merged(&busy, 0.0), quiet(&merged(&busy, 0.0))));
        let weight = |(from, to): (f64, f64)| (to - from).sqrt();
        let all: f64 = busy.iter().copied().map(weight).sum();
        let mut x = left;
        let mut stretches = Vec::with_capacity(busy.len());
        for (from, to) in busy {
            let share = if all > 0.0 { weight((from, to)) / all } else { 1.0 };
            let width = (width * share).max(NARROWEST);
            stretches.push(Stretch { from, to, x, width });
            x += width + CUT;
        }
        Self { stretches }
    }

    /// The place of a moment. A moment that is cut out is in the middle of the cut, or at the end.
    pub(super) fn x(&self, at: f64) -> f64 {
        let mut x = 0.0;
        for stretch in &self.stretches {
            if at < stretch.from {
                return (stretch.x - CUT / 2.0).max(x);
            }
            if at <= stretch.to {
                let length = (stretch.to - stretch.from).max(f64::MIN_POSITIVE);
                return stretch.x + stretch.width * ((at - stretch.from) / length).min(1.0);
            }
            x = stretch.x + stretch.width;
        }
        x + CUT / 2.0
    }

    pub(super) fn end(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.x + last.width)
    }

    /// The places of the labels of a stretch: when it begins, and the times since then.
    pub(super) fn ticks(&self, stretch: &Stretch) -> Vec<(f64, String)> {
        let text = |seconds: f64| Took(Duration::from_secs_f64(seconds)).to_string();
        let length = stretch.to - stretch.from;
        let step = step(length * TICK / stretch.width);
        let is_first = stretch.from == 0.0;
        let begin = if is_first { "0".to_owned() } else { format!("@{}", text(stretch.from)) };
        let mut ticks = vec![(stretch.x, begin)];
        let mut at = step;
        while at <= length && step > 0.0 {
            let plus = if is_first { "" } else { "+" };
            ticks.push((self.x(stretch.from + at), format!("{plus}{}", text(at))));
            at += step;
        }
        ticks
    }

    /// The middle of each cut.
    pub(super) fn cuts(&self) -> impl Iterator<Item = f64> {
        self.stretches.iter().skip(1).map(|stretch| stretch.x - CUT / 2.0)
    }
}

/// The stretches, those in one that are nearer to each other than this. They are sorted by their beginnings.
fn merged(busy: &[(f64, f64)], nearer: f64) -> Vec<(f64, f64)> {
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for &(from, to) in busy {
        match merged.last_mut() {
            Some(last) if from - last.1 <= nearer => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// A pause that is longer than this is cut out: it would take most of the room.
fn quiet(busy: &[(f64, f64)]) -> f64 {
    let all: f64 = busy.iter().map(|(from, to)| to - from).sum();
    (all / 2.0).max(0.02)
}

fn few(mut busy: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if busy.len() > MOST {
        busy.drain(1..=busy.len() - MOST);
    }
    busy
}

/// The next round step: 1, 2 or 5 of a unit.
fn step(at_least: f64) -> f64 {
    let unit = 10_f64.powf(at_least.max(1e-6).log10().floor());
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|round| round * unit);
    rounds.into_iter().find(|&round| round >= at_least).unwrap_or(unit * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pause_is_cut_out_and_a_short_one_is_not() {
        let axis = Axis::new(vec![(0.0, 1.0), (1.2, 2.0), (3600.0, 3602.0)], 100.0, 400.0);
        assert_eq!(axis.stretches.len(), 2);
        assert_eq!((axis.x(0.0), axis.x(1.0), axis.x(2.0)), (100.0, 200.0, 300.0));
        assert_eq!((axis.x(3600.0), axis.x(3602.0)), (300.0 + CUT, 500.0 + CUT));
        assert!(axis.cuts().eq([300.0 + CUT / 2.0]));
        assert!(axis.x(1000.0) > 300.0 && axis.x(1000.0) < 300.0 + CUT);
    }

    #[test]
    fn times_never_go_back() {
        let busy = (0..100).map(|at| (f64::from(at * at), f64::from(at * at) + 0.5)).collect();
        let axis = Axis::new(busy, 0.0, 500.0);
        assert_eq!(axis.stretches.len(), MOST);
        let places: Vec<f64> = (0..40_000).map(|at| axis.x(f64::from(at) / 4.0)).collect();
        assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{axis:?}");
    }

    #[test]
    fn labels_are_round() {
        let axis = Axis::new(vec![(0.0, 0.43), (60.0, 60.43)], 0.0, 900.0);
        let labels =
            |at: usize| axis.ticks(&axis.stretches[at]).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(0), ["0", "100 ms", "200 ms", "300 ms", "400 ms"]);
        assert_eq!(labels(1), ["@1m", "+100 ms", "+200 ms", "+300 ms", "+400 ms"]);
    }

    #[test]
    fn no_time_at_all_is_an_axis_too() {
        let axis = Axis::new(vec![(0.0, 0.0)], 10.0, 500.0);
        assert!(axis.x(0.0).is_finite() && axis.end() > 10.0);
        assert_eq!(axis.ticks(&axis.stretches[0]).len(), 1);
    }
}
