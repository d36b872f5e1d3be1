//! The thin shell around the lifecycle: carries out its actions, feeds it events, decides nothing.
//!
//! Who has news takes it up: a service's task, after each poll. So one service leads to the next with no task between
//! them, which would cost as much as the service's own, and often another thread. What comes from elsewhere wakes the
//! driver's own task, which minds the clock, too.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, thread};

use tokio::sync::oneshot;
use tokio::task::coop;

use crate::base::clock::Moment;
use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::base::{chance, lock};
use crate::engine::alarm::Alarm;
use crate::engine::inbox::{Drive, Inbox};
use crate::engine::life::Life;
use crate::engine::signals::is_waited_for;
use crate::lifecycle::Lifecycle;
use crate::lifecycle::budget::Budget;
use crate::lifecycle::event::{Action, Again, Event, GroupEnd, Id, Timer};
use crate::lifecycle::restart::{Restarts, When};
use crate::running::handle::Handle;
use crate::running::journal::{Journal, PATIENCE};
use crate::running::message::{Message, News};
use crate::running::reload;
use crate::running::shared::Shared;
use crate::service::Factory;
use crate::service::context::Context;
use crate::spec::restart::Permanent;

/// How many messages are received with one look at the clock.
const AT_ONCE: usize = 16;

/// The inbox of a driver.
pub(crate) type Mailbox = Inbox<Driver>;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    inbox: Arc<Mailbox>,
    /// Those that were taken from the inbox.
    messages: Vec<Message>,
    lifecycle: Lifecycle,
    budget: Budget,
    /// What is to be launched.
    factories: Vec<Option<Factory>>,
    /// Of those that may be started again at all.
    again: HashMap<Id, Restarting>,
    timers: BinaryHeap<Reverse<(Moment, Timer)>>,
    /// Timers that were put off after they were armed.
    put_off: HashMap<Timer, Moment>,
    /// When its task looks at the timers at the latest, if it does.
    alarm: Option<Moment>,
    /// Whether that is later than it should.
    is_to_aim: bool,
    started: Option<oneshot::Sender<()>>,
    /// When the stop was asked for, once it was.
    asked: Option<Moment>,
    /// When to say who is waited for.
    tells: Moment,
    /// When the event came that is being dealt with.
    now: Moment,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.inbox.close();
        if !self.lifecycle.is_over() {
            let how =
                if thread::panicking() { "it panicked while it ran" } else { "its runtime was shut down while it ran" };
            self.journal(|journal| journal.blame_at_the_end(None, how.into()));
            self.report(GroupEnd::UncleanStop);
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("now", &self.now).finish_non_exhaustive()
    }
}

/// However its task ends, so does the driver.
struct Ends<'a>(&'a Mailbox);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Restarting {
    restarts: Restarts,
    /// How long to wait before the next.
    wait: Duration,
}

impl Driver {
    /// `started` fires when every service is ready.
    pub(crate) fn new(
        shared: Arc<Shared>,
        inbox: Arc<Mailbox>,
        lifecycle: Lifecycle,
        budget: Budget,
        factories: Vec<Option<Factory>>,
        started: oneshot::Sender<()>,
    ) -> Self {
        let policies = shared.members.iter().map(|member| member.spec.details().restart.policy).enumerate();
        let again = |policy| Restarting { restarts: Restarts::new(policy), wait: Duration::ZERO };
        Self {
            messages: Vec::new(),
            factories,
            again: policies
                .filter(|(_, policy)| policy.when != When::Never)
                .map(|(id, policy)| (id, again(policy)))
                .collect(),
            timers: BinaryHeap::new(),
            put_off: HashMap::new(),
            alarm: None,
            is_to_aim: false,
            started: Some(started),
            asked: None,
            tells: Moment::FIRST.after(PATIENCE),
            now: Moment::FIRST,
            shared,
            inbox,
            lifecycle,
            budget,
        }
    }

    /// Runs the group to its end.
    pub(crate) async fn run(mut self: Box<Self>) {
        let (inbox, begun) = (Arc::clone(&self.inbox), self.shared.begun);
        let _ends = Ends(&inbox);
        // What has come before there was a driver comes before the start.
        self.messages = inbox.take();
        self.receive_all();
        self.look_at_the_clock();
        self.feed(Event::Begin, None);
        let mut alarm = Alarm::new(begun);
        let mut driver = self;
        while !driver.lifecycle.is_over() {
            driver.aim(&mut alarm);
            inbox.lay_down(driver);
            // However many messages come, others have their turn, too.
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
        driver.finish();
    }

    /// All that comes at once has happened at one moment.
    fn look_at_the_clock(&mut self) {
        self.now = Moment::now(self.shared.begun);
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Stop => self.feed(Event::Stop, None),
            Message::Exit(code) => {
                self.journal(|journal| journal.exit_with(code));
                self.feed(Event::Stop, None);
            }
            Message::Signal(signal) => self.feed(Event::Signal(signal, is_waited_for(signal)), None),
            Message::Serves => self.feed(Event::Serves, None),
            Message::Reload(signal) => reload::spawn(Handle::new(Arc::clone(&self.shared)), signal),
            Message::Extend(id, by) => self.extend(id, by),
            Message::Service(id, news) => self.hear(id, news),
        }
    }

    fn hear(&mut self, id: Id, news: News) {
        match news {
            News::Built => {
                self.journal(|journal| journal.built(id, &self.shared.members[id]));
                self.feed(Event::Built(id), None);
            }
            News::Ready => self.feed(Event::Ready(id), None),
            News::Ended => {
                let again = self.again(id, self.lifecycle.fails_by_ending(id));
                self.feed(Event::Ended(id, again), None);
            }
            News::Failed(error) => {
                let again = if Permanent::is_in(&error) { Again::No } else { self.again(id, true) };
                self.feed(Event::Failed(id, again), Some(error));
            }
            News::AlsoFailed(error) => {
                self.journal(|journal| journal.also_failed(&self.shared.members[id], error));
            }
            News::HandlerPanicked(error) => {
                self.journal(|journal| journal.handler_panicked(&self.shared.members[id], error));
            }
            News::Gone => self.feed(Event::Gone(id), None),
        }
    }

    /// Whether the service may be started again. Notes how long to wait before.
    fn again(&mut self, id: Id, failed: bool) -> Again {
        let Some(service) = self.again.get_mut(&id) else { return Again::No };
        let (now, stable) = {
            let journal = lock(&self.shared.journal);
            (journal.now(), journal.ready_for(id))
        };
        let (again, wait) = service.restarts.next(failed, now.into(), stable, chance());
        service.wait = wait;
        again
    }

    /// `error` is what the event is about, for the journal.
    fn feed(&mut self, event: Event, error: Option<BoxError>) {
        let mut actions = self.lifecycle.handle(event);
        if !actions.is_empty() {
            self.journal(|journal| self.write_down(&actions, error, journal));
        }
        // Whoever reads what is written may be slow, which is to take nothing of a service's time.
        let is_told = tracing::event_enabled!(target: "group", tracing::Level::ERROR);
        let written = if is_told { Moment::now(self.shared.begun) } else { self.now };
        for action in actions.drain(..) {
            self.carry_out(action, written);
        }
        self.lifecycle.reuse(actions);
    }

    fn write_down(&self, actions: &[Action], mut error: Option<BoxError>, journal: &mut Journal) {
        let members = &self.shared.members;
        for &action in actions {
            match action {
                Action::Launch(id) => journal.launched(id, &members[id]),
                Action::Restart(id) => journal.restarted(id, &members[id]),
                Action::Stop(id) => journal.stop_asked(id, &members[id]),
                Action::Abort(id) => journal.aborted(id),
                Action::Blame(fault) => journal.blame(fault, error.take(), members),
                Action::TellReady(id) => journal.ready(id, &members[id]),
                Action::TellBackoff(id) => {
                    if let Some(again) = self.again.get(&id) {
                        journal.backing_off(id, &members[id], again.wait, again.restarts.in_a_row());
                    }
                }
                Action::TellTooOften(id) => Journal::too_often(&members[id]),
                Action::Lose(id) => journal.lost(id, &members[id]),
                Action::TellCompleted(id) => journal.completed(id, &members[id]),
                Action::TellGone(id) => journal.gone(id, &members[id]),
                Action::TellGroupReady => journal.group_ready(),
                Action::TellLameDuck(reason) => journal.lame_duck(reason, members),
                Action::TellStopping(reason) => journal.stopping(reason, members),
                Action::Arm(_) | Action::TellGroupGone => {}
            }
        }
    }

    /// A service's limit runs from when all was written.
    fn carry_out(&mut self, action: Action, written: Moment) {
        let shared = &self.shared;
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Restart(id) => shared.members[id].start_again(),
            Action::Stop(id) => shared.members[id].ask_to_stop(),
            Action::Abort(id) => shared.members[id].abort(),
            Action::Lose(id) => shared.members[id].give_up(),
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
                self.asked.get_or_insert(self.now);
                shared.lame_duck.begin();
                shared.stopping.set();
            }
            Action::TellStopping(_) => {
                self.asked.get_or_insert(self.now);
                shared.stopping.set();
                self.tells = self.now.after(PATIENCE);
            }
            Action::Blame(_)
            | Action::TellReady(_)
            | Action::TellBackoff(_)
            | Action::TellTooOften(_)
            | Action::TellCompleted(_)
            | Action::TellGone(_)
            | Action::TellGroupGone => {}
        }
    }

    fn launch(&mut self, id: Id) {
        let cx = Context::new(Arc::clone(&self.shared), id);
        if let Some(factory) = self.factories.get_mut(id).and_then(Option::take) {
            tokio::spawn(Life::new(factory, cx));
        }
    }

    fn arm(&mut self, timer: Timer, written: Moment) {
        let spec = |id: Id| &self.shared.members[id].spec;
        let (from, lasts) = match timer {
            Timer::Start(id, _) => (written, spec(id).start_limit()),
            Timer::Backoff(id) => (written, self.again.get(&id).map_or(Duration::ZERO, |again| again.wait)),
            Timer::Stop(id) if spec(id).is_dropped_at_once() => (written, self.budget.abort()),
            Timer::Stop(id) => (written, self.turn(id, spec(id).stop_limit(), written)),
            Timer::Abort(_) => (written, self.budget.abort()),
            Timer::LameDuck => (self.now, self.budget.delay()),
            Timer::Quiet => (self.now, self.budget.quiet()),
            Timer::Deadline => (self.now, self.budget.deadline()),
            Timer::LastGrace => (self.now, self.budget.last_grace()),
        };
        let at = from.after(lasts);
        self.is_to_aim |= self.alarm.is_none_or(|alarm| at.min(self.tells) < alarm);
        let next = Reverse((at, timer));
        // One that means nothing any more makes room: hardly ever does any elapse.
        let is_over = |&Reverse((_, first)): &_| !self.lifecycle.awaits(first);
        if self.timers.peek().is_some_and(is_over)
            && let Some(mut first) = self.timers.peek_mut()
        {
            *first = next;
        } else {
            self.timers.push(next);
        }
    }

    /// How long a service may take to stop from this moment on, if it would like this long.
    fn turn(&self, id: Id, limit: Duration, from: Moment) -> Duration {
        let spent = self.asked.map_or(Duration::ZERO, |asked| from.since(asked));
        self.budget.turn(limit, spent, self.lifecycle.behind(id))
    }

    /// A service asks for more time: to start, or to stop within what the group's budget allows.
    fn extend(&mut self, id: Id, by: Duration) {
        let (timer, by) = match self.lifecycle.timer_of(id) {
            Some(timer @ Timer::Stop(_)) => (timer, self.turn(id, by, self.now)),
            Some(timer) => (timer, by),
            None => return,
        };
        let until = self.now.after(by);
        self.put_off.entry(timer).and_modify(|at| *at = until.max(*at)).or_insert(until);
    }

    /// Until when a timer that was armed is put off, if it is.
    fn put_off_until(&mut self, timer: Timer) -> Option<Moment> {
        match timer {
            Timer::Quiet => Some(self.shared.last_came().after(self.budget.quiet())),
            // Hardly ever is any.
            _ if self.put_off.is_empty() => None,
            _ => self.put_off.remove(&timer),
        }
    }

    /// Aims the alarm at the next timer that still means something, if there is any.
    fn aim(&mut self, alarm: &mut Alarm) {
        self.is_to_aim = false;
        while let Some(&Reverse((at, timer))) = self.timers.peek() {
            if !self.lifecycle.awaits(timer) {
                self.timers.pop();
            } else if let Some(later) = self.put_off_until(timer).filter(|&later| later > at) {
                self.timers.pop();
                self.timers.push(Reverse((later, timer)));
            } else {
                alarm.aim(at.min(self.tells));
                break;
            }
        }
        self.alarm = alarm.until();
    }

    fn elapse(&mut self) {
        if self.tells <= self.now {
            self.tells = self.now.after(self.journal(|journal| journal.still_waiting(&self.shared.members)));
        }
        let Some(&Reverse((at, timer))) = self.timers.peek() else { return };
        if at > self.now {
            return;
        }
        self.timers.pop();
        // Who comes to a lame duck does not wake the driver for that.
        match self.put_off_until(timer) {
            Some(later) if later > at => self.timers.push(Reverse((later, timer))),
            _ => self.feed(Event::Elapsed(timer), None),
        }
    }

    fn finish(mut self: Box<Self>) {
        self.drop_unbuilt();
        self.drop_provided();
        self.report(self.lifecycle.outcome());
    }

    /// Whoever waits for the end has waited for this.
    fn report(&self, outcome: GroupEnd) {
        let report = lock(&self.shared.journal).report(outcome, &self.shared.members, &self.shared.plan);
        self.shared.report.send_replace(Some(report));
    }

    /// When all have been launched, nothing is left but room.
    fn make_room(&mut self) {
        if self.factories.iter().all(Option::is_none) {
            self.factories = Vec::new();
        }
    }

    /// What was never built may hold on to what was provided.
    fn drop_unbuilt(&mut self) {
        while let Some(factory) = self.factories.pop() {
            self.drop_caught(factory, Some(self.factories.len()));
        }
    }

    /// In the reverse of the order in which they were provided.
    fn drop_provided(&self) {
        let mut provided = std::mem::take(&mut *lock(&self.shared.provided));
        while let Some(value) = provided.pop() {
            self.drop_caught(value, None);
        }
    }

    fn drop_caught<T>(&self, value: T, of: Option<Id>) {
        if let Err(panicked) = caught_now(|| drop(value)) {
            let member = of.map(|id| &self.shared.members[id]);
            self.journal(|journal| journal.blame_at_the_end(member, panicked));
        }
    }

    fn journal<T>(&self, write: impl FnOnce(&mut Journal) -> T) -> T {
        let mut journal = lock(&self.shared.journal);
        journal.at(self.now);
        write(&mut journal)
    }
}

impl Drive for Driver {
    /// Where the inbox puts messages when the driver is taken up.
    fn messages(&mut self) -> &mut Vec<Message> {
        &mut self.messages
    }

    /// Whether there is something to do that only its own task does.
    fn needs_its_task(&self) -> bool {
        self.is_to_aim || self.lifecycle.is_over()
    }

    /// Deals with what has come.
    fn receive_all(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        for (nth, message) in messages.drain(..).enumerate() {
            if nth % AT_ONCE == 0 {
                self.look_at_the_clock();
            }
            // What comes after the end changes nothing.
            if !self.lifecycle.is_over() {
                self.receive(message);
            }
        }
        self.messages = messages;
    }
}
