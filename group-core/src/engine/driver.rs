//! The thin shell around the lifecycle: carries out its actions, feeds it events, decides nothing.
//!
//! A service's task that has reported something runs the driver itself, at the end of its poll. So one service leads to
//! the next with no task between them, which would cost as much as the service's own, and often a change of thread.
//! Messages from elsewhere wake the driver's own task, which serves the timers, too.
//!
//! # Protocol
//!
//! The driver needs no atomics: exactly one thread has the box that it lies in, and the lock of the
//! [inbox](crate::engine::inbox) hands it from one to the next. Its four states (laid down, taken up by its task, taken
//! up by a service's task, missed) are drawn there. Some things are left to its own task, because only that has the
//! alarm and outlives every service:
//!
//! - A timer elapses there only. A service's task may arm one that is due before the alarm rings; it notes `is_to_aim`,
//!   and `lay_down` wakes the driver's task, which aims the alarm anew before it lays the driver down again.
//! - The group ends there only: once the lifecycle is over, `needs_its_task` says so, and `finish` runs in that task.
//! - The driver is dropped outside of the inbox's lock: its destructor closes the inbox.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::coop;
use tokio::time::{sleep, timeout};
use tracing::level_filters::LevelFilter;

use crate::base::clock::{FOREVER, Moment};
use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::base::text::signal_name;
use crate::base::{chance, lock};
use crate::engine::alarm::Alarm;
use crate::engine::inbox::{Drive, Inbox};
use crate::engine::life::Life;
use crate::engine::requests;
use crate::engine::requests::Requests;
use crate::engine::signals::is_waited_for;
use crate::engine::stop_signals::SAME_REQUEST;
use crate::engine::timers::Timers;
use crate::lifecycle::Lifecycle;
use crate::lifecycle::budget::Budget;
use crate::lifecycle::interface::{Action, Again, ByHand, GroupEnd, Id, Input, Rules, Timer};
use crate::lifecycle::restart::{Policy, Restarts, When};
use crate::record::report::Report;
use crate::running::control_error::Answer;
use crate::running::handle::Handle;
use crate::running::journal::{Journal, PATIENCE};
use crate::running::log;
use crate::running::member::Value;
use crate::running::message::{Message, News};
use crate::running::reload;
use crate::running::shared::Shared;
use crate::service::context::Context;
use crate::service::{Beginning, DynService, Factory};
use crate::spec::restart::Permanent;

/// The number of messages that share one look at the clock.
const AT_ONCE: usize = 16;

/// The time that tasks of no service have to end by themselves once all services are gone.
const LEFTOVERS: Duration = Duration::from_millis(20);

/// The inbox of a driver.
pub(crate) type Mailbox = Inbox<Driver>;

/// The services that have not been launched, and those that can be made again.
pub(crate) type Kept = Arc<Mutex<Vec<Option<Factory>>>>;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    inbox: Arc<Mailbox>,
    /// The messages that were taken from the inbox.
    messages: Vec<Message>,
    lifecycle: Lifecycle,
    budget: Budget,
    /// The services that are not launched yet.
    factories: Vec<Option<Factory>>,
    /// The place for them if the group may come back.
    kept: Option<Kept>,
    /// Only services whose policy allows a restart.
    again: HashMap<Id, Restarting>,
    timers: Timers,
    /// The time at which the alarm is to ring, if it is.
    alarm: Option<Moment>,
    /// True if a timer is due before the alarm rings.
    is_to_aim: bool,
    /// True once a service was controlled by hand.
    is_controlled: bool,
    /// The requests about single services that are under way.
    requests: Requests,
    started: Option<oneshot::Sender<()>>,
    /// The time of the stop request.
    stop_asked_at: Option<Moment>,
    /// The next time at which the log says which services are waited for.
    reminds_at: Moment,
    /// The time of the event that is being handled.
    now: Moment,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.inbox.close();
        if !self.lifecycle.is_over() {
            let how =
                if thread::panicking() { "it panicked while it ran" } else { "its runtime was shut down while it ran" };
            self.journal(|journal| journal.blame_at_the_end(None, how.into()));
            self.publish(self.report(GroupEnd::UncleanStop));
            self.shared.guards.drop_all();
        }
        #[cfg(feature = "http")]
        self.shared.processors.end();
        self.shared.members.iter().for_each(|member| member.end_runtime());
    }
}

/// Closes the inbox when the driver's task ends, also if it is aborted or panics.
struct Ends<'a>(&'a Mailbox);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Restarting {
    restarts: Restarts,
    /// The wait before the next restart.
    wait: Duration,
}

impl Restarting {
    fn new(policy: Policy) -> Self {
        Self { restarts: Restarts::new(policy), wait: Duration::ZERO }
    }
}

impl Driver {
    /// The driver of a group, which is a lame duck first if `has_delay`. The receiver fires when every service is ready.
    pub(crate) fn new(
        shared: Arc<Shared>,
        inbox: Arc<Mailbox>,
        budget: Budget,
        factories: Vec<Option<Factory>>,
        has_delay: bool,
    ) -> (Box<Self>, oneshot::Receiver<()>) {
        let rules: Vec<Rules> = shared.members.specs().map(|spec| spec.rules).collect();
        let policies = shared.members.specs().map(|spec| spec.details().restart.policy).enumerate();
        let (sender, started) = oneshot::channel();
        let driver = Self {
            messages: Vec::new(),
            factories,
            kept: None,
            again: policies
                .filter(|(_, policy)| policy.when != When::Never)
                .map(|(id, policy)| (id, Restarting::new(policy)))
                .collect(),
            timers: Timers::default(),
            alarm: None,
            is_to_aim: false,
            is_controlled: false,
            requests: Requests::default(),
            started: Some(sender),
            stop_asked_at: None,
            reminds_at: Moment::FIRST.after(PATIENCE),
            now: Moment::FIRST,
            lifecycle: Lifecycle::new(Arc::clone(&shared.plan), &rules, has_delay),
            shared,
            inbox,
            budget,
        };
        (Box::new(driver), started)
    }

    /// The same driver, which leaves the values and the factories of the services there, if the group may come back.
    pub(crate) fn that_keeps(mut self: Box<Self>, kept: Kept) -> Box<Self> {
        self.kept = Some(kept);
        self
    }

    /// Runs the group to its end.
    pub(crate) async fn run(mut self: Box<Self>) {
        let (inbox, begun) = (Arc::clone(&self.inbox), self.shared.begun);
        let _ends = Ends(&inbox);
        // Messages that came before there was a driver come before the start.
        self.messages = inbox.take();
        self.receive_all();
        self.look_at_the_clock();
        self.feed(Input::Begin, None);
        let mut alarm = Alarm::new(begun);
        let mut driver = self;
        while !driver.lifecycle.is_over() {
            driver.aim(&mut alarm);
            inbox.lay_down(driver);
            // Other tasks get their turn, however many messages come.
            coop::consume_budget().await;
            let mut rings = false;
            let taken_up = poll_fn(|task| {
                rings |= alarm.poll(task).is_ready();
                inbox.poll_take_up(rings, task)
            });
            let Some(taken_up) = taken_up.await else { return };
            driver = taken_up;
            driver.receive_all();
            if rings && !driver.lifecycle.is_over() {
                driver.look_at_the_clock();
                driver.elapse();
            }
        }
        driver.hear_late_signal().await;
        driver.drop_rest();
        driver.count_detached().await;
        driver.end().await;
    }

    /// Counts the tasks of the runtime that no service owns, if the runtime ends with the group. Some of them only notice
    /// now that the services are gone, such as the connections of a client, and are given a moment.
    async fn count_detached(&mut self) {
        let is_known = self.journal(|journal| journal.knows_whose_tasks_are_left());
        if !is_known || !self.shared.ends_runtime.load(Ordering::Relaxed) {
            return;
        }
        let metrics = self.shared.runtime.metrics();
        // All but this one.
        #[cfg(feature = "http")]
        let on_processors = || self.shared.processors.tasks();
        #[cfg(not(feature = "http"))]
        let on_processors = || 0;
        let left = || metrics.num_alive_tasks().saturating_sub(1) + on_processors();
        let _ = timeout(LEFTOVERS, async {
            while left() > 0 {
                sleep(LEFTOVERS / 20).await;
            }
        })
        .await;
        self.journal(|journal| journal.detached(left()));
    }

    /// Runs what is due, outside of the driver's task, and lays the driver down again. If that ends the group, it ends
    /// here: the driver's task is blocked.
    pub(super) fn run_due(mut self: Box<Self>, inbox: &Mailbox) {
        let runtime = self.shared.runtime.clone();
        let _in_runtime = runtime.enter();
        self.receive_all();
        self.look_at_the_clock();
        while !self.lifecycle.is_over() && self.due().is_some_and(|due| due <= self.now) {
            self.elapse();
        }
        if self.lifecycle.is_over() { self.finish() } else { inbox.lay_down(self) }
    }

    /// The way in which the group would end now.
    pub(super) fn outcome(&mut self) -> GroupEnd {
        self.lifecycle.outcome()
    }

    /// A service that has just failed may have done so because of a signal that is still on its way.
    async fn hear_late_signal(&mut self) {
        self.look_at_the_clock();
        let wait = self.journal(|journal| journal.awaits_signal());
        if wait.is_zero() || !self.shared.hears_signals.load(Ordering::Relaxed) {
            return;
        }
        self.journal(Journal::all_gone);
        let comes = poll_fn(|task| self.inbox.poll_holds(|message| matches!(message, Message::Signal(_)), task));
        // An error is the end of the wait: then the failure is the cause.
        let _ = timeout(wait, comes).await;
        self.messages = self.inbox.take();
        self.receive_all();
    }

    /// Takes the time, for all that is received at once.
    fn look_at_the_clock(&mut self) {
        self.now = Moment::now(self.shared.begun);
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Stop => self.feed(Input::Stop, None),
            Message::StopWithin(limit) => self.stop_within(limit),
            Message::Abort => self.feed(Input::Abort, None),
            Message::Exit(code) => {
                self.journal(|journal| journal.exit_with(code));
                self.feed(Input::Stop, None);
            }
            Message::Signal(signal) => {
                self.journal(|journal| journal.signalled(signal));
                self.shared.signal_inside(signal);
                self.feed(Input::Signal(signal, is_waited_for(signal)), None);
            }
            Message::SameRequest(signal) => {
                self.journal(|journal| journal.mention(move || log::same_request(&signal_name(signal), SAME_REQUEST)));
            }
            Message::Ignored(signal) => {
                self.journal(|journal| journal.mention(move || log::ignored(&signal_name(signal))));
            }
            Message::Serves => self.feed(Input::Serves, None),
            Message::Reload(signal) => reload::spawn(Handle::new(Arc::clone(&self.shared)), signal),
            Message::ByHand(what, id, answer) => self.by_hand(what, id, answer),
            Message::Extend(id, by) => self.extend(id, by),
            Message::Service(id, news) => self.hear(id, news),
        }
    }

    fn hear(&mut self, id: Id, news: News) {
        match news {
            News::Built => {
                self.journal(|journal| journal.built(id, self.shared.members.spec(id)));
                self.feed(Input::Built(id), None);
            }
            News::Ready => self.feed(Input::Ready(id), None),
            News::Ended => {
                let again = self.again(id, self.lifecycle.fails_by_ending(id));
                self.feed(Input::Ended(id, again), None);
            }
            News::Failed(error) => {
                let again = if Permanent::is_in(&error) { Again::No } else { self.again(id, true) };
                self.feed(Input::Failed(id, again), Some(error));
            }
            News::AlsoFailed(error) => {
                self.journal(|journal| journal.also_failed(self.shared.members.spec(id), error));
            }
            News::Survived(error) => {
                self.journal(|journal| journal.survived(self.shared.members.spec(id), error));
            }
            News::StoppedUncleanly(error) => {
                self.journal(|journal| journal.stopped_uncleanly(self.shared.members.spec(id), error));
            }
            News::HandlerPanicked(error) => {
                self.journal(|journal| journal.handler_panicked(self.shared.members.spec(id), error));
            }
            News::Gone => self.feed(Input::Gone(id), None),
        }
    }

    /// Decides whether the service may be started again, and notes how long to wait before.
    fn again(&mut self, id: Id, failed: bool) -> Again {
        let Some(service) = self.again.get_mut(&id) else { return Again::No };
        let stable = lock(&self.shared.journal).ready_for(id);
        let (again, wait) = service.restarts.next(failed, stable, chance());
        service.wait = wait;
        again
    }

    /// Feeds the lifecycle and carries out its actions. `error` is the cause of the event, for the journal.
    fn feed(&mut self, input: Input, mut error: Option<BoxError>) {
        let actions = self.lifecycle.handle(input);
        if !actions.is_empty() {
            self.journal(|journal| self.write_down(&actions, &mut error, journal));
        }
        // A slow log subscriber must not use up a service's limit, so limits run from here.
        let is_logged = log::level() != LevelFilter::OFF;
        let written = if is_logged { Moment::now(self.shared.begun) } else { self.now };
        for &action in &actions {
            self.carry_out(action, written);
        }
        if !self.requests.is_empty() {
            self.answer(&actions);
        }
        self.lifecycle.reuse(actions);
    }

    /// Takes the error out if an action needs it.
    fn write_down(&self, actions: &[Action], error: &mut Option<BoxError>, journal: &mut Journal) {
        let members = &self.shared.members;
        for &action in actions {
            match action {
                Action::Launch(id) => journal.launched(id, members.spec(id)),
                Action::Restart(id) => journal.restarted(id, members.spec(id)),
                Action::Stop(id) => journal.stop_asked(id, members.spec(id)),
                Action::Abort(id) => journal.aborted(id),
                Action::Blame(problem) => journal.blame(problem, error.take(), members),
                Action::TellReady(id) => journal.ready(id, members.spec(id)),
                Action::TellBackoff(id) => {
                    if let Some(again) = self.again.get(&id) {
                        journal.backing_off(id, members.spec(id), again.wait, again.restarts.in_a_row());
                    }
                }
                Action::TellTooOften(id) => journal.too_often(id),
                Action::Lose(id) => journal.lost(id, members.spec(id)),
                Action::TellCompleted(id) => journal.completed(id, members.spec(id)),
                Action::TellGone(id) => journal.gone(id, members.spec(id)),
                Action::TellDown(id) => journal.down(id, members.spec(id)),
                Action::TellWaiting(id) => journal.waits(id, members.spec(id)),
                Action::TellGroupReady => journal.group_ready(),
                Action::TellLameDuck(reason) => journal.lame_duck(reason, members),
                Action::TellStopping(reason) => journal.stopping(reason, members),
                Action::Arm(_) | Action::TellGroupGone => {}
            }
        }
    }

    /// A service's limit runs from `written`, when the log was written.
    fn carry_out(&mut self, action: Action, written: Moment) {
        let shared = &self.shared;
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Restart(id) => shared.members.get(id).start_again(),
            Action::Stop(id) => self.ask_to_stop(id, written),
            Action::Abort(id) => shared.members.get(id).abort(),
            Action::Lose(id) => shared.members.get(id).give_up(),
            // The group had to stop while the service was stopped by hand.
            Action::TellGone(id) if self.is_controlled && !shared.may_come_back() => {
                self.drop_caught(shared.members.get(id).take_value(), Some(id));
            }
            Action::Arm(timer) => self.arm(timer, written),
            Action::TellGroupReady => {
                shared.ready.set();
                self.make_room();
                if let Some(started) = self.started.take() {
                    // Nobody waits for it when the group runs in the background.
                    let _ = started.send(());
                }
            }
            Action::TellLameDuck(_) => {
                self.stop_asked_at.get_or_insert(self.now);
                shared.lame_duck.begin();
                shared.stopping.set();
            }
            Action::TellStopping(_) => {
                self.stop_asked_at.get_or_insert(self.now);
                shared.stopping.set();
                self.reminds_at = self.now.after(PATIENCE);
            }
            Action::Blame(_)
            | Action::TellReady(_)
            | Action::TellBackoff(_)
            | Action::TellTooOften(_)
            | Action::TellCompleted(_)
            | Action::TellGone(_)
            | Action::TellDown(_)
            | Action::TellWaiting(_)
            | Action::TellGroupGone => {}
        }
    }

    fn ask_to_stop(&mut self, id: Id, written: Moment) {
        let comes_back = self.shared.may_come_back();
        self.is_controlled |= comes_back;
        let member = self.shared.members.get(id);
        member.stop_time.begin(written, self.stops_until(id, written));
        if self.stop_asked_at.is_none() || comes_back {
            member.ask_to_stop_by_hand();
        } else {
            member.ask_to_stop();
        }
    }

    fn launch(&mut self, id: Id) {
        let shared = Arc::clone(&self.shared);
        let is_again = self.shared.ready.is_set();
        let kept = if is_again { self.kept_value(id) } else { None };
        let cx = if is_again { self.begin_again(id) } else { Context::first(shared, id) };
        let factory = self.factories.get_mut(id);
        let beginning = match (kept, factory) {
            (Some(service), _) => Some(Beginning::Made(service)),
            // It is there for other lives, too.
            (None, Some(Some(Factory::Make { make, .. }))) => Some(Beginning::Build(make(cx.clone()))),
            (None, Some(made)) => made.take().and_then(Factory::into_made).map(Beginning::Made),
            (None, None) => None,
        };
        let Some(beginning) = beginning else { return };
        match cx.member().start_runtime() {
            Ok(own) => own.as_ref().unwrap_or(&self.shared.runtime).spawn(Life::new(beginning, cx)),
            Err(error) => {
                let failed = async move { Err(format!("its runtime cannot be started: {error}").into()) };
                self.shared.runtime.spawn(Life::new(Beginning::Build(Box::pin(failed)), cx))
            }
        };
    }

    /// Begins another life of a service, which knows nothing of the one before. Restarts from before do not count.
    fn begin_again(&mut self, id: Id) -> Context {
        if let Some(again) = self.again.get_mut(&id) {
            *again = Restarting::new(self.shared.members.spec(id).details().restart.policy);
        }
        let member = self.shared.members.begin_again(id);
        Context::again(Arc::clone(&self.shared), id, member)
    }

    /// The value of a service that was stopped by hand, for its next life.
    fn kept_value(&self, id: Id) -> Option<Arc<dyn DynService>> {
        let Value(value) = self.shared.members.get(id).take_value()?;
        value.downcast().map(|service| *service).ok()
    }

    fn by_hand(&mut self, what: ByHand, id: Id, answer: oneshot::Sender<Answer>) {
        if let Some(refused) = requests::refusal(&self.lifecycle, &self.shared, what, id) {
            // Fails if nobody waits for the answer any more.
            drop(answer.send(Err(refused)));
            return;
        }
        self.is_controlled = true;
        self.journal(|journal| journal.asked_by_hand(id, what));
        self.requests.add(what, id, self.lifecycle.along(id), answer);
        self.feed(Input::ByHand(what, id), None);
    }

    fn answer(&mut self, actions: &[Action]) {
        let shared = &self.shared;
        let failure = |id: Id| lock(&shared.journal).last_failure(shared.members.spec(id).get_name());
        self.requests.answer(&self.lifecycle, actions, failure);
    }

    /// Stops the group in the time that the outer one leaves it. If it stops already, it may have less time now.
    fn stop_within(&mut self, limit: Duration) {
        let spent = self.stop_asked_at.map_or(Duration::ZERO, |asked_at| self.now.since(asked_at));
        let total = spent.saturating_add(limit);
        if self.stop_asked_at.is_none() || total < self.budget.total() {
            self.budget = Budget::new(total, Duration::ZERO, self.shared.plan.chain());
            self.journal(|journal| journal.set_budget(self.budget));
        }
        if let Some(asked_at) = self.stop_asked_at.filter(|_| self.lifecycle.awaits(Timer::Deadline)) {
            self.timers
                .arm(asked_at.after(self.budget.deadline()), Timer::Deadline, |timer| self.lifecycle.awaits(timer));
            self.is_to_aim = true;
        }
        self.feed(Input::Stop, None);
    }

    fn arm(&mut self, timer: Timer, written: Moment) {
        let spec = |id: Id| self.shared.members.spec(id);
        let (from, lasts) = match timer {
            Timer::Start(id, _) => (written, spec(id).start_limit()),
            Timer::Backoff(id, _) => (written, self.again.get(&id).map_or(Duration::ZERO, |again| again.wait)),
            Timer::Stop(id, _) if spec(id).is_dropped_at_once() => (written, self.budget.abort()),
            Timer::Stop(id, _) => (written, self.turn(id, spec(id).stop_limit(), written)),
            Timer::Abort(..) => (written, self.budget.abort()),
            Timer::LameDuck => (self.now, self.budget.delay()),
            Timer::Quiet => (self.now, self.budget.quiet().unwrap_or(FOREVER)),
            Timer::Deadline => (self.now, self.budget.deadline()),
            Timer::LastGrace => {
                self.shared.last_grace.set();
                (self.now, self.budget.last_grace())
            }
        };
        let at = from.after(lasts);
        self.is_to_aim |= self.alarm.is_none_or(|alarm| at.min(self.reminds_at) < alarm);
        self.timers.arm(at, timer, |timer| self.lifecycle.awaits(timer));
    }

    /// The time that a service is given to stop, from this moment on: its limit, or what the budget leaves of it.
    fn turn(&self, id: Id, limit: Duration, from: Moment) -> Duration {
        match self.stop_asked_at {
            Some(asked_at) => self.budget.turn(limit, from.since(asked_at), self.lifecycle.behind(id)),
            // It is stopped by hand, and has all the time that there is.
            None => limit.min(self.budget.total()),
        }
    }

    /// The moment at which a service that is asked to stop now is aborted.
    fn stops_until(&self, id: Id, from: Moment) -> Moment {
        let limit = self.shared.members.spec(id).stop_limit();
        let all_until = self.all_stop_until();
        if self.shared.last_grace.is_set() { all_until } else { from.after(self.turn(id, limit, from)).min(all_until) }
    }

    /// The end of the last grace.
    fn all_stop_until(&self) -> Moment {
        self.stop_asked_at.unwrap_or(self.now).after(self.budget.deadline() + self.budget.last_grace())
    }

    /// Postpones the timer of a service that asks for more time: to start, or to stop within the group's budget.
    fn extend(&mut self, id: Id, by: Duration) {
        let (timer, until) = match self.lifecycle.timer_of(id) {
            Some(timer @ Timer::Stop(..)) => {
                let until = self.now.after(self.turn(id, by, self.now));
                self.shared.members.get(id).stop_time.put_off(until.min(self.all_stop_until()));
                (timer, until)
            }
            Some(timer) => (timer, self.now.after(by)),
            None => return,
        };
        self.timers.put_off(timer, until, |timer| self.lifecycle.awaits(timer));
    }

    /// The timer that elapses next, and when.
    fn next_timer(&mut self) -> Option<(Moment, Timer)> {
        let (shared, budget) = (&self.shared, &self.budget);
        // Requests to a lame duck postpone this timer, but do not wake the driver.
        let quiet = |timer| Some(shared.last_came().after(budget.quiet().filter(|_| timer == Timer::Quiet)?));
        self.timers.first(|timer| self.lifecycle.awaits(timer), quiet)
    }

    /// The time at which something is due, if anything is.
    pub(super) fn due(&mut self) -> Option<Moment> {
        self.next_timer().map(|(at, _)| at.min(self.reminds_at))
    }

    /// Aims the alarm at the next timer that is still awaited, if there is any.
    fn aim(&mut self, alarm: &mut Alarm) {
        self.is_to_aim = false;
        if let Some(due) = self.due() {
            alarm.aim(due);
            self.shared.aimed.notify_one();
        }
        self.alarm = alarm.until();
    }

    fn elapse(&mut self) {
        if self.reminds_at <= self.now {
            self.reminds_at = self.now.after(self.journal(|journal| journal.still_waiting(&self.shared.members)));
        }
        if let Some((at, timer)) = self.next_timer()
            && at <= self.now
        {
            self.timers.pop();
            self.feed(Input::Elapsed(timer), None);
        }
    }

    fn finish(mut self: Box<Self>) {
        self.drop_rest();
        let report = self.report(self.lifecycle.outcome());
        self.shared.guards.drop_all();
        self.publish(report);
    }

    /// Writes the last line, and then drops the guards of the program.
    async fn end(&mut self) {
        let report = self.report(self.lifecycle.outcome());
        let spent = self.stop_asked_at.map_or(Duration::ZERO, |asked_at| self.now.since(asked_at));
        let (shared, limit) = (Arc::clone(&self.shared), self.budget.guards(spent));
        let file = lock(&self.shared.journal).report_file();
        let report = self.shared.guards.release(report, move || shared.wait_until_said(), limit, Some(&file)).await;
        self.publish(report);
    }

    /// Drops what was never built, and what was provided, unless the group may come back.
    fn drop_rest(&mut self) {
        if let Some(kept) = self.kept.take().filter(|_| self.shared.may_come_back()) {
            *lock(&kept) = std::mem::take(&mut self.factories);
            return;
        }
        self.drop_unbuilt();
        self.drop_provided();
    }

    /// Writes the last line.
    fn report(&self, outcome: GroupEnd) -> Report {
        let inside = self.shared.inside();
        self.journal(|journal| journal.report(outcome, &self.shared.members, &self.shared.plan, &inside))
    }

    /// Publishes the report, which ends the wait of every handle.
    fn publish(&self, report: Report) {
        self.shared.report.send_replace(Some(report));
    }

    /// Frees the list once all services are launched.
    fn make_room(&mut self) {
        if self.factories.iter().all(Option::is_none) {
            self.factories = Vec::new();
        }
    }

    /// Drops the services that were never built, and those that were stopped by hand, before the provided values, which
    /// they may use.
    fn drop_unbuilt(&mut self) {
        while let Some(factory) = self.factories.pop() {
            if let Some(Factory::Made(service)) = factory {
                self.drop_caught(service, Some(self.factories.len()));
            }
        }
        if self.is_controlled {
            for id in (0..self.shared.members.len()).rev() {
                self.drop_caught(self.shared.members.get(id).take_value(), Some(id));
            }
        }
    }

    /// Drops the provided values, in reverse order.
    fn drop_provided(&self) {
        let mut provided = std::mem::take(&mut *lock(&self.shared.provided));
        while let Some(value) = provided.pop() {
            self.drop_caught(value, None);
        }
    }

    fn drop_caught<T>(&self, value: T, of: Option<Id>) {
        if let Err(panicked) = caught_now(|| drop(value)) {
            let spec = of.map(|id| self.shared.members.spec(id));
            self.journal(|journal| journal.blame_at_the_end(spec, panicked));
        }
    }

    fn journal<T>(&self, write: impl FnOnce(&mut Journal) -> T) -> T {
        self.shared.write(|journal| {
            journal.at(self.now);
            write(journal)
        })
    }
}

impl Drive for Driver {
    fn messages(&mut self) -> &mut Vec<Message> {
        &mut self.messages
    }

    fn needs_its_task(&self) -> bool {
        self.is_to_aim || self.lifecycle.is_over()
    }

    fn receive_all(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        for (nth, message) in messages.drain(..).enumerate() {
            if nth % AT_ONCE == 0 {
                self.look_at_the_clock();
            }
            // Messages after the end are dropped, except a signal that explains it.
            match message {
                message if !self.lifecycle.is_over() => self.receive(message),
                Message::Signal(signal) => self.journal(|journal| journal.signalled(signal)),
                _ => {}
            }
        }
        self.messages = messages;
    }
}
