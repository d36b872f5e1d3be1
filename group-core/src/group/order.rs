//! The order in which a group would start and stop, found without starting it.

use std::fmt;
use std::fmt::Write as _;
use std::io::Write as _;

#[cfg(any(feature = "admin", feature = "cli"))]
use crate::draw::graph::{Node, graph_file};
use crate::group::Group;
use crate::group::assemble::Assembly;
use crate::group::environment::ORDER_VARIABLE;
use crate::lifecycle::interface::Id;
use crate::lifecycle::interface::Role;
#[cfg(any(feature = "admin", feature = "cli"))]
use crate::lifecycle::plan::Schedule;
use crate::record::report::{Outcome, Report, StartError};

impl Group {
    /// Returns the order in which the services would start and stop. Nothing is built, no code of a service runs,
    /// and the group stays as it is.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group
    ///     .add_fn("database", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .add_fn("api", |shutdown: Shutdown| async move { shutdown.requested().await });
    /// assert_eq!(group.order().unwrap().starts(), [["database"], ["api"]]);
    ///
    /// let running = group.start().await.unwrap();
    /// assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the setup of the group is invalid, or if the group was run or started already: then it has no services any more.
    pub fn order(&self) -> Result<Order, StartError> {
        Ok(Order::of(&self.planned().map_err(StartError::new)?.assembly))
    }

    /// Prints on stdout the order in which the services would start and stop, in the form that the environment names.
    pub(super) fn print_order_as(&self, form: &str) -> Report {
        if let Some(form) = Form::named(form) {
            return self.print_order(form);
        }
        let names: Vec<String> = Form::names().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        Report::bad_group(vec![format!("{ORDER_VARIABLE} is text: expected one of {names}").into()])
    }

    /// Prints on stdout the order in which the services would start and stop.
    pub(crate) fn print_order(&self, form: Form) -> Report {
        match self.order() {
            Ok(order) => printed(&form.of(&order)),
            Err(error) => error.into_report(),
        }
    }
}

/// A form in which an order is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Dot,
    Json,
    #[cfg(any(feature = "admin", feature = "cli"))]
    Svg,
}

impl Form {
    /// The first is the default.
    const NAMES: &[(&str, Self)] = &[
        ("text", Self::Text),
        ("dot", Self::Dot),
        ("json", Self::Json),
        #[cfg(any(feature = "admin", feature = "cli"))]
        ("svg", Self::Svg),
    ];

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, form)| *form)
    }

    fn of(self, order: &Order) -> String {
        match self {
            Self::Text => format!("{order}\n"),
            Self::Dot => order.to_dot(),
            Self::Json => order.to_json(),
            #[cfg(any(feature = "admin", feature = "cli"))]
            Self::Svg => order.to_svg(),
        }
    }
}

/// Prints on stdout. The report is a failure if that fails.
pub(crate) fn printed(text: &str) -> Report {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Report::of_nothing(Outcome::Clean, Vec::new()),
        Err(error) => Report::bad_group(vec![format!("cannot write to stdout: {error}").into()]),
    }
}

/// The order in which services start and stop, from [`Group::order`](crate::Group::order).
///
/// It is displayed as waves: the services of one wave start or stop together.
///
/// ```
/// use group::{Group, Schedule, Shutdown};
///
/// # async fn polite(shutdown: Shutdown) { shutdown.requested().await }
/// let order = Group::new()
///     .add_fn("database", polite)
///     .add_fn("cache", polite)
///     .add_fn("api", polite)
///     .configure("api", |spec| spec.after_named("database").after_named("cache"))
///     .schedule(Schedule::Graph)
///     .order()
///     .unwrap();
/// assert_eq!(order.to_string(), "start: database, cache -> api\nstop: api -> cache, database");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    names: Vec<String>,
    #[cfg(any(feature = "admin", feature = "cli"))]
    schedule: Schedule,
    /// True for each service that is a sidecar.
    sidecars: Vec<bool>,
    starts: Vec<Vec<Id>>,
    stops: Vec<Vec<Id>>,
    /// From, to, and true if the dependency is required.
    edges: Vec<(Id, Id, bool)>,
    /// The orders inside of services that are groups.
    inside: Vec<(Id, Self)>,
}

impl Order {
    pub(crate) fn of(Assembly { plan, members, edges, nests, .. }: &Assembly) -> Self {
        let services = members.len();
        let mut above = vec![0; services];
        for id in (0..services).rev() {
            let longest = plan.needed_by(id).map(|holder| above[holder.id] + 1).max();
            above[id] = longest.unwrap_or(0);
        }
        let mut stops = waves((0..services).map(|id| above[id]));
        for wave in &mut stops {
            wave.reverse();
        }
        let mut edges: Vec<_> = edges.iter().map(|edge| (edge.from, edge.to, edge.required)).collect();
        edges.sort_unstable();
        edges.dedup();
        Self {
            names: members.iter().map(|member| member.spec.get_name().to_owned()).collect(),
            #[cfg(any(feature = "admin", feature = "cli"))]
            schedule: plan.schedule(),
            sidecars: members.iter().map(|member| member.spec.get_role() == Role::Sidecar).collect(),
            starts: waves((0..services).map(|id| plan.behind(id))),
            stops,
            edges,
            inside: nests.iter().map(|(service, nested)| (*service, Self::of(&nested.assembly))).collect(),
        }
    }

    /// Returns the waves of the start: each is built once the one before it is ready. Services inside of a
    /// [group](Group::add_group) that is one of them are not listed; the other forms have them.
    #[must_use]
    pub fn starts(&self) -> Vec<Vec<&str>> {
        self.named(&self.starts)
    }

    /// Returns the waves of the stop: each is stopped once the one before it is gone.
    #[must_use]
    pub fn stops(&self) -> Vec<Vec<&str>> {
        self.named(&self.stops)
    }

    /// The order inside of this service, if it is a group.
    fn inside_of(&self, id: Id) -> Option<&Self> {
        self.inside.iter().find(|(service, _)| *service == id).map(|(_, inside)| inside)
    }

    /// Returns waves in one line: `database -> billing (billing/ledger -> billing/invoices) -> api`.
    fn line(&self, waves: fn(&Self) -> &[Vec<Id>]) -> String {
        let said = |id: &Id| {
            let inside = self.inside_of(*id).map(|inside| format!(" ({})", inside.line(waves))).unwrap_or_default();
            format!("{}{inside}", self.names[*id])
        };
        let wave = |wave: &Vec<Id>| wave.iter().map(said).collect::<Vec<_>>().join(", ");
        waves(self).iter().map(wave).collect::<Vec<_>>().join(" -> ")
    }

    fn named(&self, waves: &[Vec<Id>]) -> Vec<Vec<&str>> {
        waves.iter().map(|wave| wave.iter().map(|&id| self.names[id].as_str()).collect()).collect()
    }

    /// The edges that somebody has declared. That every service comes after the sidecars goes without saying.
    fn declared_edges(&self) -> impl Iterator<Item = (Id, Id, bool)> {
        let is_implied =
            |&(from, to, required): &(Id, Id, bool)| self.sidecars[to] && !self.sidecars[from] && !required;
        self.edges.iter().copied().filter(move |edge| !is_implied(edge))
    }

    /// Returns the graph of dependencies, for Graphviz. That every service comes after the sidecars is left out. The same
    /// group always gives the same text.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph group {\n".to_owned();
        self.write_dot(&mut dot, "    ");
        dot.push_str("}\n");
        dot
    }

    /// Writes the nodes and edges. The services inside of another one stand in a frame.
    fn write_dot(&self, dot: &mut String, indent: &str) {
        for (id, name) in self.names.iter().enumerate() {
            let _ = writeln!(dot, "{indent}\"{name}\";");
            if let Some(inside) = self.inside_of(id) {
                let _ = writeln!(dot, "{indent}subgraph \"cluster_{name}\" {{\n{indent}    label=\"{name}\";");
                inside.write_dot(dot, &format!("{indent}    "));
                let _ = writeln!(dot, "{indent}}}");
            }
        }
        for (from, to, required) in self.declared_edges() {
            let style = if required { "" } else { " [style=dashed]" };
            let _ = writeln!(dot, "{indent}\"{}\" -> \"{}\"{style};", self.names[from], self.names[to]);
        }
    }

    /// Returns a picture of the graph of dependencies, as a file in SVG, which is readable in the dark, too. Needs the
    /// feature `cli` or `admin`. The same group always gives the same text.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # async fn polite(shutdown: Shutdown) { shutdown.requested().await }
    /// let order = Group::new().add_fn("database", polite).add_fn("api", polite).order().unwrap();
    /// assert!(order.to_svg().starts_with("<svg"));
    /// ```
    #[cfg(any(feature = "admin", feature = "cli"))]
    #[must_use]
    pub fn to_svg(&self) -> String {
        let after = |id: Id| self.edges.iter().filter(move |(from, ..)| *from == id);
        let node = |(id, name)| Node {
            name,
            after: after(id).map(|&(_, to, required)| (to, required)).collect(),
            is_sidecar: self.sidecars[id],
            state: None,
        };
        let nodes: Vec<Node<'_>> = self.names.iter().map(String::as_str).enumerate().map(node).collect();
        graph_file(self.schedule, &nodes)
    }

    /// Returns the order for a program to read, as JSON: the waves of the start and of the stop, and for each service those
    /// that it comes after, with whether it needs them, and, for a group, the same of those inside. That every service comes after the sidecars is left out. The same
    /// group always gives the same text.
    ///
    /// ```
    /// # use group::{Group, Shutdown};
    /// # async fn polite(shutdown: Shutdown) { shutdown.requested().await }
    /// let order = Group::new()
    ///     .add_fn("database", polite)
    ///     .add_fn("api", polite)
    ///     .configure("api", |spec| spec.after_named("database"))
    ///     .order()
    ///     .unwrap();
    /// let order: serde_json::Value = serde_json::from_str(&order.to_json()).unwrap();
    /// assert_eq!(order["stop"], serde_json::json!([["api"], ["database"]]));
    /// assert_eq!(order["services"][1]["after"][0]["name"], "database");
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        // A name has no character that JSON would escape.
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        let quoted = |name: &&str| format!("\"{name}\"");
        let waves =
            |waves: Vec<Vec<&str>>| list(waves.iter().map(|wave| list(wave.iter().map(quoted).collect())).collect());
        let after = |id: Id| {
            let edges = self.declared_edges().filter(|(from, ..)| *from == id);
            let edge = |(_, to, required): (Id, Id, bool)| {
                format!("{{\"name\": \"{}\", \"required\": {required}}}", self.names[to])
            };
            list(edges.map(edge).collect())
        };
        let inside = |id: Id| self.inside_of(id).map(|inside| format!(", \"group\": {}", inside.to_json().trim_end()));
        let service = |(id, name)| {
            format!("\n    {{\"name\": \"{name}\", \"after\": {}{}}}", after(id), inside(id).unwrap_or_default())
        };
        let services: Vec<String> = self.names.iter().enumerate().map(service).collect();
        let (starts, stops) = (waves(self.starts()), waves(self.stops()));
        let services = services.join(",");
        format!("{{\n  \"start\": {starts},\n  \"stop\": {stops},\n  \"services\": [{services}\n  ]\n}}\n")
    }
}

/// Groups services by the number of their wave.
fn waves(numbers: impl Iterator<Item = usize>) -> Vec<Vec<Id>> {
    let mut waves: Vec<Vec<Id>> = Vec::new();
    for (id, number) in numbers.enumerate() {
        if waves.len() <= number {
            waves.resize(number + 1, Vec::new());
        }
        waves[number].push(id);
    }
    waves
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start: {}\nstop: {}", self.line(|order| &order.starts), self.line(|order| &order.stops))
    }
}
