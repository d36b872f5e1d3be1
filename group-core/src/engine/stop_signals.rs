//! The rule for signals that come more than once: which one asks for a stop, and which one forces the end.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::signals::SIGHUP;

/// Stop signals that come within this time of the first are the same request.
///
/// Many launchers deliver one request twice: `timeout`, `npm`, `dumb-init`, a shell with a trap, a closing terminal. Their
/// second signal follows within 102 ms, with the same number or another. A supervisor that escalates waits for a second
/// at least, and a person needs about as long to decide. So time alone separates the two.
pub(crate) const SAME_REQUEST: Duration = Duration::from_millis(500);

/// The first signal that asks for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstSignal {
    pub(crate) signal: i32,
    pub(crate) at: Instant,
}

/// The effect of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It asks for the stop.
    Stop,
    /// It repeats the request that was made already.
    SameRequest,
    /// It forces the end.
    Force,
    /// It asks for a reload.
    Reload,
    /// It was ignored when the program was started, and still is.
    Ignored,
    /// It is decided when the group's services are known.
    Undecided,
}

/// The signals that a group has got so far.
#[derive(Debug)]
pub(crate) struct StopSignals {
    first: Option<FirstSignal>,
    /// True if SIGHUP asks for a reload: a service of the group has one, or a service manager waits for an answer. `None`
    /// until that is known.
    reloads: Option<bool>,
    /// True if SIGHUP was ignored when the program was started.
    ignores_hangup: bool,
    /// True once the terminal is gone that there was when the program was started. SIGHUP then says so, and reloads nothing.
    has_lost_terminal: bool,
    /// The first SIGHUP that came before the services were known.
    hangup: Option<Instant>,
}

impl StopSignals {
    pub(crate) fn new(ignores_hangup: bool) -> Self {
        Self { first: None, reloads: None, ignores_hangup, has_lost_terminal: false, hangup: None }
    }

    pub(crate) fn lose_terminal(&mut self) {
        self.has_lost_terminal = true;
    }

    pub(crate) fn first(&self) -> Option<FirstSignal> {
        self.first
    }

    /// Sets whether SIGHUP asks for a reload. Returns the effect of a SIGHUP that has come already.
    pub(crate) fn know_services(&mut self, reloads: bool) -> Option<Effect> {
        self.reloads = Some(reloads);
        let at = self.hangup.take()?;
        // A stop was asked for meanwhile, and nothing is left to decide.
        if self.first.is_some() {
            return None;
        }
        Some(self.receive(SIGHUP, at))
    }

    pub(crate) fn receive(&mut self, signal: i32, at: Instant) -> Effect {
        if signal == SIGHUP {
            match self.reloads {
                None => {
                    self.hangup.get_or_insert(at);
                    return Effect::Undecided;
                }
                Some(true) if self.ignores_hangup || !self.has_lost_terminal => return Effect::Reload,
                Some(false) if self.ignores_hangup => return Effect::Ignored,
                Some(_) => {}
            }
        }
        match self.first {
            None => {
                self.first = Some(FirstSignal { signal, at });
                Effect::Stop
            }
            Some(first) if at.saturating_duration_since(first.at) < SAME_REQUEST => Effect::SameRequest,
            Some(_) => Effect::Force,
        }
    }

    /// Returns true if a signal ends the process now that the group is over, as it would without handlers.
    pub(crate) fn ends_process(&self, signal: i32, at: Instant) -> bool {
        let is_ignored = signal == SIGHUP && self.ignores_hangup;
        let is_same = |first: FirstSignal| at.saturating_duration_since(first.at) < SAME_REQUEST;
        !(is_ignored || self.first.is_some_and(is_same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGINT: i32 = 2;
    const SIGTERM: i32 = 15;
    const MS: Duration = Duration::from_millis(1);

    fn known(reloads: bool) -> StopSignals {
        let mut signals = StopSignals::new(false);
        assert_eq!(signals.know_services(reloads), None);
        signals
    }

    #[test]
    fn what_comes_within_half_a_second_of_the_first_is_the_same_request() {
        let begun = Instant::now();
        let mut signals = known(false);
        assert_eq!(signals.receive(SIGTERM, begun), Effect::Stop);
        for (after, signal) in [(0, SIGTERM), (102, SIGINT), (300, SIGHUP), (499, SIGTERM)] {
            assert_eq!(signals.receive(signal, begun + after * MS), Effect::SameRequest);
            assert!(!signals.ends_process(signal, begun + after * MS));
        }
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            assert_eq!(signals.receive(signal, begun + 500 * MS), Effect::Force);
            assert!(signals.ends_process(signal, begun + 500 * MS));
        }
        assert_eq!(signals.first(), Some(FirstSignal { signal: SIGTERM, at: begun }));
    }

    #[test]
    fn a_reload_is_no_request_to_stop() {
        let begun = Instant::now();
        let mut signals = known(true);
        assert_eq!(signals.receive(SIGHUP, begun), Effect::Reload);
        assert_eq!(signals.receive(SIGTERM, begun + 600 * MS), Effect::Stop);
        assert_eq!(signals.receive(SIGHUP, begun + 1200 * MS), Effect::Reload);
        assert_eq!(signals.receive(SIGTERM, begun + 1200 * MS), Effect::Force);
    }

    #[test]
    fn a_hangup_of_a_terminal_that_is_gone_reloads_nothing_unless_it_was_ignored_at_the_start() {
        let begun = Instant::now();
        for (ignored, effect) in [(false, Effect::Stop), (true, Effect::Reload)] {
            let mut signals = StopSignals::new(ignored);
            assert_eq!(signals.know_services(true), None);
            assert_eq!(signals.receive(SIGHUP, begun), Effect::Reload);
            signals.lose_terminal();
            assert_eq!(signals.receive(SIGHUP, begun), effect);
        }
    }

    #[test]
    fn a_hangup_before_the_services_are_known_is_decided_by_them() {
        let begun = Instant::now();
        for (reloads, effect) in [(true, Effect::Reload), (false, Effect::Stop)] {
            let mut signals = StopSignals::new(false);
            assert_eq!(signals.receive(SIGHUP, begun), Effect::Undecided);
            assert_eq!(signals.receive(SIGHUP, begun + MS), Effect::Undecided);
            assert_eq!(signals.know_services(reloads), Some(effect));
        }
        let mut signals = StopSignals::new(false);
        assert_eq!(signals.receive(SIGHUP, begun), Effect::Undecided);
        assert_eq!(signals.receive(SIGTERM, begun + 900 * MS), Effect::Stop, "nothing was forced");
        assert_eq!(signals.know_services(false), None);
    }

    #[test]
    fn a_hangup_that_was_ignored_at_the_start_stops_nothing() {
        let begun = Instant::now();
        let mut signals = StopSignals::new(true);
        assert_eq!(signals.receive(SIGHUP, begun), Effect::Undecided);
        assert_eq!(signals.know_services(false), Some(Effect::Ignored));
        assert_eq!(signals.receive(SIGHUP, begun), Effect::Ignored);
        assert!(!signals.ends_process(SIGHUP, begun) && signals.ends_process(SIGTERM, begun));
        let mut signals = StopSignals::new(true);
        signals.know_services(true);
        assert_eq!(signals.receive(SIGHUP, begun), Effect::Reload);
    }
}
