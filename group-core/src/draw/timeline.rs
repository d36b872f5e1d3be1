//! The start, the restarts and the stop of a group: each service a row, each step a bar, on one axis of time.

use std::fmt::Write as _;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::text::Took;
use crate::draw::axis::Axis;
use crate::draw::svg::{Escaped, class, file, fitted, float, label, mark, picture, width_of};
use crate::record::chain;
use crate::record::service_report::Ending;
use crate::record::service_status::ServiceStatus;
use crate::record::state::State;
use crate::record::status::Status;

/// No more services are drawn.
const MOST: usize = 2000;

/// The columns of the longest name that is written out.
const NAME: usize = 28;

const MARGIN: f64 = 16.0;
const ROW: f64 = 22.0;
const BAR: f64 = 12.0;

/// The width of a column of numbers.
const NUMBER: f64 = 72.0;

/// The width of all stretches of the axis.
const CHART: f64 = 620.0;

/// The axis is repeated after so many rows.
const AGAIN: usize = 30;

/// Something that a service does for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    kind: Kind,
    from: f64,
    to: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Build,
    Start,
    /// It is ready.
    Up,
    /// It waits to be restarted.
    Down,
    Stop,
    /// It stopped, past its limit.
    Cut,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Start => "start",
            Self::Up => "up",
            Self::Down => "down",
            Self::Stop => "stop",
            Self::Cut => "cut",
        }
    }
}

/// The start and the stop so far, as a file.
pub(crate) fn timeline_of(status: &Status) -> String {
    let drawing = Drawing::new(status);
    file(drawing.width, drawing.height, WHAT, &drawing.body)
}

/// The start and the stop so far, for a page.
pub(crate) fn timeline_in_page(status: &Status) -> String {
    let drawing = Drawing::new(status);
    picture(drawing.width, drawing.height, WHAT, &drawing.body)
}

const WHAT: &str = "Start, restarts and stop of the services, on one axis of time";

fn secs(moment: Moment) -> f64 {
    Duration::from(moment).as_secs_f64()
}

/// All that a service has done, in order.
fn bars(service: &ServiceStatus, now: f64) -> Vec<Bar> {
    let times = service.times;
    let Some(launched) = times.launched.map(secs) else { return Vec::new() };
    let since = secs(service.since);
    // The end of what is not over: now, or when something else began.
    let open = |is_open: bool| match (is_open, times.stop_asked) {
        (true, _) => now,
        (false, Some(asked)) => secs(asked),
        (false, None) => since,
    };
    let mut bars = Vec::new();
    let mut add = |kind, from: f64, to: f64| bars.push(Bar { kind, from, to: to.max(from) });
    let built = times.built.map_or_else(|| open(service.state == State::Building), secs);
    add(Kind::Build, launched, built);
    let first_end = service.last_restarts.first().map(|restart| secs(restart.ended));
    if times.built.is_some() {
        let is_starting = service.state == State::Starting && service.last_restarts.is_empty();
        let ready = times.first_ready.map_or_else(|| first_end.unwrap_or_else(|| open(is_starting)), secs);
        add(Kind::Start, built, ready);
    }
    let is_up = matches!(service.state, State::Ready | State::Completed);
    let until = if service.state == State::Restarting { since } else { open(is_up) };
    if let Some(ready) = times.first_ready {
        add(Kind::Up, secs(ready), first_end.unwrap_or(until));
    }
    for (at, restart) in service.last_restarts.iter().enumerate() {
        let next_end = service.last_restarts.get(at + 1).map(|next| secs(next.ended));
        add(Kind::Down, secs(restart.ended), secs(restart.started));
        let over = || {
            next_end.unwrap_or_else(|| {
                let is_starting = matches!(service.state, State::Building | State::Starting);
                if is_starting { now } else { until }
            })
        };
        add(Kind::Start, secs(restart.started), restart.ready.map_or_else(over, secs));
        if let Some(ready) = restart.ready {
            add(Kind::Up, secs(ready), next_end.unwrap_or(until));
        }
    }
    if service.state == State::Restarting {
        add(Kind::Down, since, now);
    }
    if let Some(asked) = times.stop_asked {
        let is_cut = matches!(service.ending, Ending::Aborted | Ending::Abandoned);
        add(if is_cut { Kind::Cut } else { Kind::Stop }, secs(asked), times.gone.map_or(now, secs));
    }
    bars
}

/// A picture that is being drawn.
struct Drawing<'a> {
    status: &'a Status,
    rows: Vec<Vec<Bar>>,
    axis: Axis,
    /// Where the names end, and the numbers begin.
    names: f64,
    body: String,
    width: f64,
    height: f64,
}

impl<'a> Drawing<'a> {
    fn new(status: &'a Status) -> Self {
        let drawn = &status.services[..status.services.len().min(MOST)];
        let now = secs(status.report.as_ref().map_or(status.now, |report| Moment::FIRST.after(report.ended_at())));
        let rows: Vec<Vec<Bar>> = drawn.iter().map(|service| bars(service, now)).collect();
        let busy = rows.iter().flatten().filter(|bar| bar.kind != Kind::Up).map(|bar| (bar.from, bar.to));
        let busy: Vec<(f64, f64)> = std::iter::once((0.0, 0.0)).chain(busy).collect();
        let names = drawn.iter().map(|service| width_of(&fitted(service.name(), NAME))).fold(60.0, f64::max);
        let names = MARGIN + 18.0 + names;
        let left = names + 3.0 * NUMBER + 24.0;
        let mut drawing = Self {
            status,
            rows,
            axis: Axis::new(busy, left, CHART),
            names,
            body: String::new(),
            width: 0.0,
            height: MARGIN,
        };
        drawing.width = drawing.axis.end() + 40.0 + MARGIN;
        drawing.legend();
        drawing.all_rows();
        drawing.height += MARGIN;
        drawing
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.body.push_str(&label(x, y, class, text));
    }

    fn bar(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }

    fn legend(&mut self) {
        let mut x = MARGIN;
        let y = self.height + 6.0;
        for (class, what) in [
            ("build", "new"),
            ("start", "start"),
            ("up", "ready"),
            ("down", "waits for a restart"),
            ("stop", "stop"),
            ("cut", "cut off"),
            ("start chain", "on the critical chain"),
        ] {
            let (top, height) = if class == "up" { (y - 1.0, 2.0) } else { (y - BAR / 2.0, BAR) };
            self.bar(&format!("bar {class}"), x, top, 18.0, height);
            self.text(x + 24.0, y, "soft", what);
            x += 24.0 + width_of(what) + 20.0;
        }
        self.width = self.width.max(x);
        self.height += 28.0;
    }

    /// The labels of the axis, above the next rows, and its lines through them.
    fn scale(&mut self, rows: usize) {
        let (top, y) = (self.height + 26.0, self.height + 10.0);
        let bottom = top + float(rows) * ROW;
        for (at, head) in ["ready at", "start", "stop"].into_iter().enumerate() {
            self.text(self.names + float(at + 1) * NUMBER, y, "soft end", head);
        }
        for stretch in self.axis.stretches.clone() {
            for (x, label) in self.axis.ticks(&stretch) {
                let _ = write!(self.body, "<path class=\"rule\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>");
                self.text(x, y, "soft middle", &label);
            }
        }
        for x in self.axis.cuts().collect::<Vec<_>>() {
            self.text(x, y, "soft middle", "⋯");
        }
        self.height = top;
    }

    /// The rows of the critical chains, of the start and of the stop so far.
    fn chains(&self) -> (Vec<usize>, Vec<usize>) {
        let Status { plan, places, stopping, .. } = self.status;
        let asked = stopping.as_ref().map(|(asked, _)| *asked);
        let gone =
            |id: usize| self.status.planned(id).times.gone.filter(|&gone| asked.is_some_and(|asked| gone >= asked));
        let starts = chain::of_start(plan, places.len(), |id| self.status.planned(id).times.first_ready);
        let rows = |chain: Vec<usize>| chain.into_iter().map(|id| places[id]).collect();
        (rows(starts), rows(chain::of_stop(plan, places.len(), gone)))
    }

    fn all_rows(&mut self) {
        let (starts, stops) = self.chains();
        let mut tops = Vec::with_capacity(self.rows.len());
        for id in 0..self.rows.len() {
            if id % AGAIN == 0 {
                self.scale((self.rows.len() - id).min(AGAIN));
            }
            tops.push(self.height);
            self.row(id, starts.contains(&id), stops.contains(&id));
            self.height += ROW;
        }
        self.ties(&starts, &tops, |service| service.times.launched);
        self.ties(&stops, &tops, |service| service.times.stop_asked);
        if self.status.services.len() > self.rows.len() {
            let more = self.status.services.len() - self.rows.len();
            self.text(MARGIN, self.height + 8.0, "soft", &format!("… and {more} more services, which are not drawn"));
            self.height += ROW;
        }
    }

    /// The lines between services of a chain: where one ends, the next one begins.
    fn ties(&mut self, chain: &[usize], tops: &[f64], begins: impl Fn(&ServiceStatus) -> Option<Moment>) {
        for pair in chain.windows(2) {
            let (Some(&from), Some(&to)) = (tops.get(pair[1]), tops.get(pair[0])) else { continue };
            let Some(begun) = begins(&self.status.services[pair[0]]) else { continue };
            let (x, middle) = (self.axis.x(secs(begun)), ROW / 2.0);
            let _ = write!(self.body, "<path class=\"tie\" d=\"M{x:.1} {:.1}V{:.1}\"/>", from + middle, to + middle);
        }
    }

    fn row(&mut self, id: usize, starts: bool, stops: bool) {
        let service = &self.status.services[id];
        let (top, y) = (self.height, self.height + ROW / 2.0);
        let marked = if starts || stops { "name chain" } else { "name" };
        let _ = write!(
            self.body,
            "<g class=\"{}\"><title>{}: {}</title><g transform=\"translate({MARGIN} {:.1})\">{}</g>\
             <text class=\"{marked}\" x=\"{:.1}\" y=\"{y:.1}\">{}</text></g>",
            class(service.state),
            Escaped(service.name()),
            service.state,
            y - 5.0,
            mark(service.state),
            MARGIN + 18.0,
            Escaped(&fitted(service.name(), NAME)),
        );
        let ready = service.times.first_ready.map(Duration::from);
        let numbers = [ready, service.took_to_start(), service.took_to_stop()];
        for (at, (number, sign)) in numbers.into_iter().zip(["@", "+", "−"]).enumerate() {
            if let Some(number) = number {
                let x = self.names + float(at + 1) * NUMBER;
                self.text(x, y, "number end", &format!("{sign}{}", Took(number)));
            }
        }
        for bar in self.rows[id].clone() {
            let (x, end) = (self.axis.x(bar.from), self.axis.x(bar.to));
            let is_stop = matches!(bar.kind, Kind::Stop | Kind::Cut);
            let on_chain = if is_stop { stops } else { starts && bar.to <= ready.map_or(0.0, |at| at.as_secs_f64()) };
            let chain = if on_chain && bar.kind != Kind::Up { " chain" } else { "" };
            let class = format!("bar {}{chain}", bar.kind.class());
            match bar.kind {
                Kind::Up => self.bar(&class, x, y - 1.0, end - x, 2.0),
                _ => self.bar(&class, x, top + (ROW - BAR) / 2.0, (end - x).max(1.5), BAR),
            }
        }
    }
}
